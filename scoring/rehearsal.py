"""``make rehearse``: everything that happens on Kaggle, here: bundle, save run, rerun, and the score of the result."""

import shutil
from pathlib import Path

from scoring import run
from scoring.run import Result
from scoring.running.pools import Pools
from starter_kit.contract import read_for_kaggle
from starter_kit.errors import InputError, KaggleError, SubmissionError
from starter_kit.kaggle.bundle import BUNDLES, current
from starter_kit.kaggle.rehearse import lay_out, lay_out_save_run, run_notebook

SAVE_RUN, RERUN, REPORT = FOLDERS = ("save", "rerun", "report")
"""What a rehearsal leaves: the files of both runs of the notebook, and the score."""


def rehearse(submission: Path, pools: Pools, models: int, root: Path) -> Result:
    """Bundle a submission, run its notebook as it is saved and as it is judged, and score the zip that it writes.

    Args:
        submission: its file.
        pools: those of a task in the competition's shapes, on which the notebook is tried.
        models: how many models the notebook makes; 512 on Kaggle.
        root: a folder that stands in for ``/kaggle``. What an earlier rehearsal left there is removed.

    Raises:
        InputError: the folder holds other files.
        SubmissionError: the submission or its notebook failed.
        MachineError: this machine failed.
    """
    read_for_kaggle(submission)
    _check_nothing_else_is_in(root)
    say = pools.progress.say
    try:
        ready = current(submission, folder=BUNDLES)
        for warning in ready.warnings:
            say(f"Warning: {warning}")
        for folder in FOLDERS:
            shutil.rmtree(root / folder, ignore_errors=True)
        lay_out(root / RERUN, ready.competition, pools.task.sets, pools.original.weights, "new")
        lay_out_save_run(root / SAVE_RUN, ready.competition, "new")
        say(f"{ready.notebook} as Kaggle saves it:")
        run_notebook(ready, root / SAVE_RUN, models, say)
        say(f"{ready.notebook} as Kaggle runs it, with {models} models:")
        made = run_notebook(ready, root / RERUN, models, say)
    except KaggleError as error:
        raise SubmissionError(str(error)) from error
    # The zip is what is judged. Its checkpoints would take the same room again.
    made = made.rename(root / f"{ready.name}.zip")
    shutil.rmtree(root / RERUN / "tmp")
    return run.run_checkpoints(made, pools, models)


def _check_nothing_else_is_in(root: Path) -> None:
    """Refuse a folder that is not a rehearsal's: it may be somebody's home, and nothing must be removed from it."""
    if root.exists() and not root.is_dir():
        raise InputError(f"{root} is a file, but a rehearsal needs a folder. Name one with OUT=.")
    there = sorted(path.name for path in root.iterdir()) if root.exists() else []
    others = [name for name in there if name not in FOLDERS and not name.endswith(".zip")]
    if others:
        raise InputError(
            f"{root} holds {others[0]}, which is not from a rehearsal, and a rehearsal empties its folder. Name "
            "another one with OUT=."
        )
