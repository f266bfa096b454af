"""The files of a result: where they go and what is in them."""

from collections.abc import Sequence
from pathlib import Path

from scoring.judging.outputs import Outputs
from scoring.reports.page.report import page_of
from scoring.reports.pictures import picture_of
from scoring.reports.place import write_together
from scoring.reports.record import Report
from scoring.run import Result
from starter_kit.errors import InputError, quoted

FILES = ("report.json", "report.html", "report.png", "unlearned.npz", "retrained.npz")
"""What a report consists of."""


def folder_of(root: Path, task: str, seed: int, models: int, name: str) -> Path:
    """Where a report goes by default, so that no report overwrites that of another task, seed or number of models."""
    return root / task.replace(":", "-") / f"seed-{seed}" / f"{models}-models" / name


def folder_of_seeds(root: Path, task: str, seeds: Sequence[int], models: int, name: str) -> Path:
    """Where the summary over several seeds goes by default."""
    return root / task.replace(":", "-") / f"seeds-{'-'.join(map(str, seeds))}" / f"{models}-models" / name


def load_outputs(path: Path) -> Outputs:
    """The outputs in a file that ``write`` left.

    Raises:
        InputError: it cannot be read, is damaged, or is something else.
    """
    try:
        return Outputs.from_bytes(path.read_bytes())
    except OSError as error:
        raise InputError(
            f"Cannot read {quoted(path)}: {error.strerror}. `make score` writes unlearned.npz and retrained.npz beside "
            "its report.json."
        ) from error
    except ValueError as error:
        raise InputError(f"{quoted(path)}: {quoted(error)}.") from error


def contents(result: Result, report: Report) -> dict[str, bytes]:
    """The files of a report by name: report.json, report.html, report.png and the judged outputs."""
    pools = {"unlearned": result.unlearned.outputs, "retrained": result.reference.retrained}
    return {
        "report.json": report.model_dump_json(indent=2).encode(),
        "report.html": page_of(
            report, pools["unlearned"], pools["retrained"], result.reference.ceiling.epsilon
        ).encode(),
        "report.png": picture_of(result, report),
        **{f"{name}.npz": pool.to_bytes() for name, pool in pools.items()},
    }


def write(result: Result, report: Report, folder: Path) -> None:
    """Put the page, report.json, report.png and the judged outputs into ``folder``, all or none.

    Raises:
        MachineError: the folder cannot be created or written.
    """
    write_together(folder, contents(result, report))
