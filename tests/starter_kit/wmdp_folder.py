"""WMDP and MMLU in small: folders in the exact layout of the hub."""

from pathlib import Path

import pyarrow
import pyarrow.parquet

SUBJECTS = ("abstract_algebra", "world_history")


def write_wmdp(folder: Path) -> Path:
    """Write ``wmdp`` with its three configurations, and ``mmlu`` beside it; returns the former."""
    for name, size in {"wmdp-bio": 3, "wmdp-chem": 3, "wmdp-cyber": 24}.items():
        write_rows(folder / "wmdp" / name / "test-00000-of-00001.parquet", [_row(name, one) for one in range(size)])
    _write_card(folder / "wmdp", {name: ["test"] for name in ("wmdp-bio", "wmdp-chem", "wmdp-cyber")})
    for split, size in {"test": 60, "validation": 20, "dev": 8}.items():
        rows = [{**_row(split, one), "subject": SUBJECTS[one % 2]} for one in range(size)]
        write_rows(folder / "mmlu" / "all" / f"{split}-00000-of-00001.parquet", rows)
    _write_card(folder / "mmlu", {"all": ["test", "validation", "dev"]})
    return folder / "wmdp"


def write_rows(path: Path, rows: list[dict]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), path)


def _row(name: str, number: int) -> dict:
    choices = [f"{name} {number + choice}" for choice in range(4)]
    return {"question": f"Which {name} comes {number}. ? ", "choices": choices, "answer": number * 3 % 4}


def _write_card(folder: Path, configurations: dict[str, list[str]]) -> None:
    card = ["---", "configs:"]
    for name, splits in configurations.items():
        card += [f"- config_name: {name}", "  data_files:"]
        for split in splits:
            card += [f"  - split: {split}", f"    path: {name}/{split}-*"]
    (folder / "README.md").write_text("\n".join([*card, "---", ""]))
