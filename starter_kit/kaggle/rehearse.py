"""Run a bundled notebook here as Kaggle would run it.

The notebook gets its own process and environment, a folder in place of ``/kaggle``, an input folder that it cannot
change, no network, and nothing of this repository.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Literal

import nbformat
import torch
from torch import Tensor

from starter_kit.bubblewrap import folders_above, walls
from starter_kit.competition import input_folder
from starter_kit.errors import KaggleError
from starter_kit.examples import Examples
from starter_kit.kaggle import notebook
from starter_kit.kaggle.bundle import Bundle

HERE = Path(__file__).parent
KEPT = ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS")
"""The only variables of your environment that a notebook inherits: no credentials, no paths of Python."""

IN_NAMESPACES = ("unshare", "--map-root-user", "--mount", "--net", "sh", "-c")
"""Linux only. Elsewhere there is no such command, and the guard in Python does what it can."""

DISK = 8 << 30
"""Bytes that a notebook may write outside its own folder, in bubblewrap."""

PROTECTED = {
    "bwrap": "No network: the notebook runs in bubblewrap. It sees only its own folder and system files, and can write "
    "only to its own folder, where the input is read-only.",
    "unshare": "No network: the notebook runs in its own network namespace, with the input folder mounted read-only.",
    "": "No network: this machine permits no namespaces, so Python's sockets and its writes to the input folder are "
    "blocked instead. Other programs that a submission starts are not blocked.",
}
"""How a notebook is kept from the network and from its input, by the program that does it."""

READ_ONLY = 'mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && exec "$@"'
"""Mounts the folder in the first argument read-only, and runs the command in the others."""


def lay_out(
    root: Path,
    competition: str,
    sets: Mapping[str, Examples],
    original: Mapping[str, Tensor],
    where: Literal["old", "new"],
) -> None:
    """Write what Kaggle puts into ``/kaggle`` before it runs a submission.

    Args:
        root: the folder in place of ``/kaggle``.
        competition: the competition's slug.
        sets: the task's examples, as for `input_folder.write`.
        original: the original model's weights.
        where: whether the input folder is ``input/SLUG`` (old) or ``input/competitions/SLUG`` (new).

    Raises:
        KaggleError: the task does not have the competition's pictures or network, or the disk is full.
    """
    try:
        input_folder.write(_input(root, competition, where), sets, original)
        (root / "working").mkdir(exist_ok=True)
    except ValueError as error:
        raise KaggleError(f"This task cannot be rehearsed: {error}. Choose another with TASK=.") from error
    except OSError as error:
        raise KaggleError(
            f"Cannot write {error.filename}: {error.strerror}. Free some space, or make the folder writable."
        ) from error


def lay_out_save_run(root: Path, competition: str, where: Literal["old", "new"]) -> None:
    """Write what Kaggle puts into ``/kaggle`` when a notebook is saved: an input folder with ``empty.txt`` alone."""
    folder = _input(root, competition, where)
    folder.mkdir(parents=True)
    (folder / "empty.txt").touch()
    (root / "working").mkdir(exist_ok=True)


def _input(root: Path, competition: str, where: Literal["old", "new"]) -> Path:
    return root / "input" / (competition if where == "old" else f"competitions/{competition}")


def run_notebook(bundle: Bundle, root: Path, models: int, say: Callable[[str], None]) -> Path:
    """Run the bundle's notebook with ``root`` in place of ``/kaggle``.

    Args:
        bundle: its notebook must not have been edited.
        root: the folder, already laid out. The executed notebook is left in it.
        models: how many models the notebook makes; 512 on Kaggle.
        say: receives a line that says how the network and the input folder are protected.

    Returns:
        The path of the ``submission.zip`` that the notebook wrote.

    Raises:
        KaggleError: the notebook was edited by hand, a cell failed, or there is no ``submission.zip``.
    """
    notebook.record_of(bundle.notebook)
    root = root.resolve()
    executed = root / bundle.notebook.name
    shutil.copyfile(bundle.notebook, executed)
    guard = root / "guard"
    guard.mkdir(exist_ok=True)
    shutil.copyfile(HERE / "guard.py", guard / "sitecustomize.py")
    (root / "home").mkdir(exist_ok=True)
    # The path of a socket may have about a hundred characters at most, which the usual temporary folder may exceed.
    with tempfile.TemporaryDirectory(prefix="run-", dir="/tmp") as sockets:
        environment = {name: os.environ[name] for name in KEPT if name in os.environ} | {
            "HOME": str(root / "home"),
            "JUPYTER_RUNTIME_DIR": sockets,
            "PYTHONPATH": str(guard),
            "PYTHONSAFEPATH": "1",
            "REHEARSAL_ROOT": str(root),
            "REHEARSAL_MODELS": str(models),
        }
        wrapper = _behind_walls(root, sockets, environment)
        say(PROTECTED[wrapper[0] if wrapper else ""])
        command = [*wrapper, sys.executable, str(HERE / "execute.py"), str(executed)]
        with subprocess.Popen(
            command, cwd=root / "working", env=environment, stderr=subprocess.PIPE, text=True, encoding="utf-8"
        ) as process:
            try:
                _, errors = process.communicate()
            finally:
                # The notebook's own process ends with it.
                process.kill()
    if process.returncode:
        raise KaggleError(f"{bundle.notebook} failed in the rehearsal:\n{_traceback_in(executed) or errors.strip()}")
    submission_zip = root / "working" / "submission.zip"
    if not submission_zip.is_file():
        raise KaggleError(f"{bundle.notebook} wrote no submission.zip, so Kaggle would have nothing to score.")
    return submission_zip


def _behind_walls(root: Path, sockets: str, environment: Mapping[str, str]) -> list[str]:
    """The start of a command that runs without network and cannot change the input folder.

    Empty if this system permits neither bubblewrap nor namespaces.
    """
    own = [str(root), sockets]
    in_bubblewrap = [*walls(environment, DISK), "--unshare-user-try", *folders_above(map(Path, own))]
    for folder in own:
        in_bubblewrap += ["--bind", folder, folder]
    for folder in (str(root / "input"), str(HERE)):
        in_bubblewrap += ["--ro-bind", folder, folder]
    in_bubblewrap += ["--chdir", str(root / "working"), "--"]
    in_namespaces = [*IN_NAMESPACES, READ_ONLY, str(root / "input")]
    # Bubblewrap shows no GPU.
    for start in (in_namespaces,) if torch.accelerator.is_available() else (in_bubblewrap, in_namespaces):
        with suppress(OSError):
            if subprocess.run([*start, "true"], capture_output=True).returncode == 0:
                return start
    return []


def _traceback_in(executed: Path) -> str:
    """The traceback of the cell that failed, without colours."""
    for cell in nbformat.read(executed, as_version=4).cells:
        for output in cell.get("outputs", []):
            if output.output_type == "error":
                return re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(output.traceback))
    return ""
