"""``make rehearse``: a submission's way to Kaggle and back, here: bundle, save run, rerun, score of what came out."""

import shutil
from pathlib import Path

from scoring import run
from scoring.errors import InputError, SubmissionError
from scoring.jobs.training import weights_in
from scoring.pools import Pools
from scoring.run import Result
from scoring.submission import read
from starter_kit.kaggle.bundle import BUNDLES, current
from starter_kit.kaggle.errors import KaggleError
from starter_kit.kaggle.rehearse import lay_out, lay_out_save_run, run_notebook

SAVE_RUN, RERUN, REPORT = FOLDERS = ("save", "rerun", "report")
"""What a rehearsal leaves: what both runs of the notebook saw and wrote, and the score."""


def rehearse(submission: Path, pools: Pools, models: int, root: Path) -> Result:
    """Bundle a submission, run its notebook as it is saved and as it is judged, and score the zip that it leaves.

    Args:
        submission: its file.
        pools: of a task in the competition's shapes, on which the notebook is tried.
        models: how many the notebook makes, 512 on Kaggle.
        root: a folder to stand in the place of ``/kaggle``; what an earlier rehearsal left there is removed.

    Raises:
        InputError: the folder holds other things.
        SubmissionError: the submission or its notebook failed.
        MachineError: the machine did.
    """
    read(submission)
    _check_nothing_else_is_in(root)
    say = pools.progress.say
    try:
        ready = current(submission, folder=BUNDLES)
        for warning in ready.warnings:
            say(f"Warning: {warning}")
        original = pools.original()
        for folder in FOLDERS:
            shutil.rmtree(root / folder, ignore_errors=True)
        lay_out(root / RERUN, ready.competition, pools.task.sets, weights_in(original), "new")
        lay_out_save_run(root / SAVE_RUN, ready.competition, "new")
        say(f"{ready.notebook} as Kaggle saves it:")
        run_notebook(ready, root / SAVE_RUN, models, say)
        say(f"{ready.notebook} as Kaggle runs it, with {models} models:")
        made = run_notebook(ready, root / RERUN, models, say)
    except KaggleError as error:
        raise SubmissionError(str(error)) from error
    # The zip is what is judged, and is named after the submission; its checkpoints would take the same room again.
    made = made.rename(root / f"{ready.name}.zip")
    shutil.rmtree(root / RERUN / "tmp")
    return run.run_checkpoints(made, pools, models)


def _check_nothing_else_is_in(root: Path) -> None:
    """A folder that is not a rehearsal's may be somebody's home: nothing is to be removed from it."""
    if root.exists() and not root.is_dir():
        raise InputError(f"{root} is a file, and a rehearsal needs a folder. Name another with OUT=.")
    there = sorted(path.name for path in root.iterdir()) if root.exists() else []
    others = [name for name in there if name not in FOLDERS and not name.endswith(".zip")]
    if others:
        raise InputError(
            f"{root} holds {others[0]}, which no rehearsal left there, and a rehearsal removes what it finds in its "
            "folder. Name another with OUT=."
        )
