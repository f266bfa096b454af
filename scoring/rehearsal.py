"""``make rehearse``: a submission's way to Kaggle and back, here: bundle, save run, rerun, score of what came out."""

import shutil
from pathlib import Path

from scoring import run
from scoring.errors import SubmissionError
from scoring.jobs.training import weights_in
from scoring.pools import Pools
from scoring.run import Result
from scoring.submission import read
from starter_kit.kaggle.bundle import BUNDLES, current
from starter_kit.kaggle.errors import KaggleError
from starter_kit.kaggle.rehearse import lay_out, lay_out_save_run, run_notebook


def rehearse(submission: Path, pools: Pools, models: int, root: Path) -> Result:
    """Bundle a submission, run its notebook as it is saved and as it is judged, and score the zip that it leaves.

    Args:
        submission: its file.
        pools: of a task in the competition's shapes, on which the notebook is tried.
        models: how many the notebook makes, 512 on Kaggle.
        root: a folder that is emptied, to stand in the place of ``/kaggle``.

    Raises:
        SubmissionError: the submission or its notebook failed.
        MachineError: the machine did.
    """
    read(submission)
    say = pools.progress.say
    try:
        ready = current(submission, folder=BUNDLES)
        for warning in ready.warnings:
            say(f"Warning: {warning}")
        original = pools.original()
        shutil.rmtree(root, ignore_errors=True)
        lay_out(root / "rerun", ready.competition, pools.task.sets, weights_in(original), "new")
        lay_out_save_run(root / "save", ready.competition, "new")
        say(f"{ready.notebook} as Kaggle saves it:")
        run_notebook(ready, root / "save", models, say)
        say(f"{ready.notebook} as Kaggle runs it, with {models} models:")
        made = run_notebook(ready, root / "rerun", models, say)
    except KaggleError as error:
        raise SubmissionError(str(error)) from error
    # The zip is what is judged, and is named after the submission; its checkpoints would take the same room again.
    made = made.rename(root / f"{ready.name}.zip")
    shutil.rmtree(root / "rerun" / "tmp")
    return run.run_checkpoints(made, pools, models)
