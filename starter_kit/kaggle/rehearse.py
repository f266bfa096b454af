"""Run a bundled notebook here as Kaggle would run it there.

It gets a process of its own with an environment of its own, a folder in the place of ``/kaggle``, an input folder
that it cannot change, no network, and nothing of this repository.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal

import nbformat
from torch import Tensor

from starter_kit import competition_folder
from starter_kit.batches import Examples
from starter_kit.kaggle import notebook
from starter_kit.kaggle.bundle import Bundle
from starter_kit.kaggle.errors import KaggleError

HERE = Path(__file__).parent
KEPT = ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS")
"""All that a notebook gets of the person's own environment; no credentials, no paths of Python."""

IN_NAMESPACES = ("unshare", "--map-root-user", "--mount", "--net", "sh", "-c")
READ_ONLY = 'mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && exec "$@"'
"""The input folder, named first, as a mount that cannot be written; then the command that follows."""


def lay_out(
    root: Path,
    competition: str,
    sets: Mapping[str, Examples],
    original: Mapping[str, Tensor],
    where: Literal["old", "new"],
) -> None:
    """Write what Kaggle has in ``/kaggle`` when it runs a submission: the input folder, at its old or new place.

    Raises:
        KaggleError: the task's examples or network are not of the competition's kind, or the disk does not take them.
    """
    try:
        competition_folder.write(_input(root, competition, where), sets, original)
        (root / "working").mkdir(exist_ok=True)
    except ValueError as error:
        raise KaggleError(f"This task cannot be rehearsed: {error}. Rehearse on another TASK=, or on none.") from error
    except OSError as error:
        raise KaggleError(f"Cannot write {error.filename}: {error.strerror}. Make room there.") from error


def lay_out_save_run(root: Path, competition: str, where: Literal["old", "new"]) -> None:
    """Write what is there when a notebook is saved: the input folder with ``empty.txt``."""
    folder = _input(root, competition, where)
    folder.mkdir(parents=True)
    (folder / "empty.txt").touch()
    (root / "working").mkdir(exist_ok=True)


def _input(root: Path, competition: str, where: Literal["old", "new"]) -> Path:
    return root / "input" / (competition if where == "old" else f"competitions/{competition}")


def run_notebook(bundle: Bundle, root: Path, models: int, say: Callable[[str], None]) -> Path:
    """Run the bundle's notebook with ``root`` in the place of ``/kaggle``, which was laid out before.

    Args:
        bundle: whose notebook; it has to be as it was bundled.
        root: the folder; the notebook as it was run is left in it.
        models: how many to make, 512 on Kaggle.
        say: told what keeps the network away.

    Returns:
        The ``submission.zip`` that it wrote.

    Raises:
        KaggleError: the notebook was edited by hand, a cell failed, or there is no ``submission.zip``.
    """
    notebook.record_of(bundle.notebook)
    root = root.resolve()
    ran = root / bundle.notebook.name
    shutil.copyfile(bundle.notebook, ran)
    guard = root / "guard"
    guard.mkdir(exist_ok=True)
    shutil.copyfile(HERE / "guard.py", guard / "sitecustomize.py")
    (root / "home").mkdir(exist_ok=True)
    wrapped = _in_namespaces(root / "input")
    say(
        "No network: a network namespace of its own, and the input folder mounted read-only."
        if wrapped
        else "No network: Python's sockets are guarded, and its writes to the input folder, since this machine permits "
        "no namespaces. Programs that a submission starts are not held back."
    )
    # Paths of sockets may have a hundred characters.
    with tempfile.TemporaryDirectory(prefix="run-", dir="/tmp") as sockets:
        environment = {name: os.environ[name] for name in KEPT if name in os.environ} | {
            "HOME": str(root / "home"),
            "JUPYTER_RUNTIME_DIR": sockets,
            "PYTHONPATH": str(guard),
            "PYTHONSAFEPATH": "1",
            "REHEARSAL_ROOT": str(root),
            "REHEARSAL_MODELS": str(models),
        }
        command = [*wrapped, sys.executable, str(HERE / "execute.py"), str(ran)]
        process = subprocess.Popen(
            command, cwd=root / "working", env=environment, stderr=subprocess.PIPE, text=True, encoding="utf-8"
        )
        try:
            _, errors = process.communicate()
        finally:
            # Its notebook ends with it.
            process.kill()
    if process.returncode:
        raise KaggleError(f"{bundle.notebook} failed in the rehearsal:\n{_what_failed(ran) or errors.strip()}")
    made = root / "working" / "submission.zip"
    if not made.is_file():
        raise KaggleError(f"{bundle.notebook} wrote no submission.zip; Kaggle would find nothing to score.")
    return made


def _in_namespaces(folder: Path) -> list[str]:
    """The beginning of a command that runs without network and with a read-only ``folder``, where that is permitted."""
    begin = [*IN_NAMESPACES, READ_ONLY, str(folder)]
    try:
        permitted = subprocess.run([*begin, "true"], capture_output=True).returncode == 0
    except OSError:
        permitted = False
    return begin if permitted else []


def _what_failed(ran: Path) -> str:
    """The traceback of the cell that failed, without colours."""
    for cell in nbformat.read(ran, as_version=4).cells:
        for output in cell.get("outputs", []):
            if output.output_type == "error":
                return re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(output.traceback))
    return ""
