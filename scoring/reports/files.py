"""The files of a result: where they go and what is in them."""

from pathlib import Path

from scoring.judging.outputs import Outputs
from scoring.reports.pictures import picture_of
from scoring.reports.record import Report
from scoring.run import Result
from scoring.running.store import write_atomically
from starter_kit.errors import InputError


def folder_of(root: Path, task: str, seed: int, models: int, name: str) -> Path:
    """Where a report goes by default, so that no report overwrites that of another task, seed or number of models."""
    return root / task.replace(":", "-") / f"seed-{seed}" / f"{models}-models" / name


def load_outputs(path: Path) -> Outputs:
    """The outputs in a file that ``write`` left.

    Raises:
        InputError: it cannot be read, is damaged, or is something else.
    """
    try:
        return Outputs.from_bytes(path.read_bytes())
    except OSError as error:
        raise InputError(
            f"Cannot read {path}: {error.strerror}. `make score` writes unlearned.npz and retrained.npz beside its "
            "report.json."
        ) from error
    except ValueError as error:
        raise InputError(f"{path}: {error}.") from error


def write(result: Result, report: Report, folder: Path) -> None:
    """Put report.json, report.png and the judged outputs into ``folder``.

    Raises:
        MachineError: the folder cannot be created or written.
    """
    write_atomically(folder / "report.json", report.model_dump_json(indent=2).encode())
    write_atomically(folder / "report.png", picture_of(result))
    outputs = {"unlearned": result.unlearned.outputs, "retrained": result.reference.retrained}
    for name, pool in outputs.items():
        write_atomically(folder / f"{name}.npz", pool.to_bytes())
