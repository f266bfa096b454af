"""What a search for constants found: a table, tuning.json, a picture, and the tuned submission."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator
from rich.table import Table
from rich.text import Text

from scoring.reports.pictures import CEILING, SUBMISSION, png_of, title_of
from scoring.reports.place import write_together
from scoring.tuning.constants import Number, with_constants
from scoring.tuning.search import MODELS, TUNING_SEED, Trial, Tuning
from scoring.untrusted.submission import Submission
from starter_kit.errors import InputError, quoted

FILES = ("tuning.json", "tuning.png")

SUFFIX = "_tuned"
LONGEST_REASON = 120
"""Characters of why a trial failed that fit on its line."""

MARK = "Found by make tune"
"""How the comment in a tuned submission begins. A file without it is never overwritten."""


def table(tuning: Tuning) -> Table:
    """All trials, the best one in bold."""
    name = quoted(tuning.submission.name)
    table = Table(title=Text(f"{name}: {len(tuning.trials)} trials with {MODELS} models, seed {TUNING_SEED}"), box=None)
    table.caption = f"Trial 0 has the file's own constants.\nThe ceiling of {MODELS} models is {tuning.ceiling:.4f}."
    table.add_column("trial", justify="right")
    for constant in tuning.constants:
        table.add_column(Text(constant.name.lower().replace("_", "\n")), justify="right")
    for heading in ("score", "time"):
        table.add_column(heading, justify="right")
    table.add_column("")
    for trial in tuning.trials:
        score = "" if trial.score is None else f"{trial.score:.4f}"
        time = "" if trial.time is None else f"{trial.time:.2f}"
        values = [f"{value:g}" for value in trial.values.values()]
        remark = "" if trial.outcome == "scored" else trial.outcome
        best = tuning.best is not None and trial.number == tuning.best.number
        style = "bold" if best else "dim" if remark else ""
        table.add_row(str(trial.number), *values, score, time, "best" if best else remark, style=style)
    return table


def line(trial: Trial) -> str:
    """A trial in one line, shown when it ends."""
    values = ", ".join(f"{name} {value:g}" for name, value in trial.values.items())
    came_of_it = trial.outcome if trial.score is None else f"score {trial.score:.4f}, time {trial.time or 0:.2f}"
    if trial.reason:
        came_of_it += f" ({quoted(trial.reason.splitlines()[-1], LONGEST_REASON)})"
    return f"trial {trial.number}: {came_of_it}; {values}"


def picture_of(tuning: Tuning) -> bytes:
    """The scores of the trials in order, and by the value of each constant.

    Returns:
        A PNG.
    """
    panels = 1 + len(tuning.constants)
    columns = panels if panels <= 4 else 3
    rows = -(-panels // columns)
    figure = Figure(figsize=(4 * columns, 3.2 * rows + 0.4), layout="constrained", dpi=100)
    figure.suptitle(f"{title_of(tuning.submission.name)}: {len(tuning.trials)} trials with {MODELS} models")
    all_axes = figure.subplots(rows, columns, sharey=True, squeeze=False).ravel()
    scored = [trial for trial in tuning.trials if trial.score is not None]
    scores = [trial.score or 0.0 for trial in scored]

    first = all_axes[0]
    first.plot([trial.number for trial in scored], scores, "o", color=SUBMISSION, alpha=0.7)
    first.step(
        [trial.number for trial in scored],
        np.maximum.accumulate(scores or [0.0])[: len(scored)],
        where="post",
        color=SUBMISSION,
        label="best so far",
    )
    first.set_xlabel("trial")
    first.xaxis.set_major_locator(MaxNLocator(integer=True))
    first.legend(frameon=False, loc="lower right")
    for axes, constant in zip(all_axes[1:], tuning.constants, strict=False):
        axes.plot([trial.values[constant.name] for trial in scored], scores, "o", color=SUBMISSION, alpha=0.7)
        axes.axvline(constant.value, color=CEILING, linestyle="--", label="own value")
        if constant.log:
            axes.set_xscale("log")
            axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axes.xaxis.set_major_formatter("{x:g}")
            axes.xaxis.set_minor_locator(NullLocator())
        axes.set_xlabel(constant.name)
        axes.legend(frameon=False)
    for axes in all_axes[panels:]:
        axes.set_visible(False)
    for axes in all_axes[::columns]:
        axes.set_ylabel("score")
    for axes in all_axes:
        axes.spines[["top", "right"]].set_visible(False)
    return png_of(figure)


def write(tuning: Tuning, folder: Path) -> None:
    """Put tuning.json and tuning.png into ``folder``, both or none.

    Raises:
        MachineError: the folder cannot be created or written.
    """
    record = {
        "submission": tuning.submission.name,
        "sha256": tuning.submission.sha256,
        "seed": TUNING_SEED,
        "models": MODELS,
        "ceiling": tuning.ceiling,
        "best": tuning.best.number if tuning.best else None,
        "trials": [asdict(trial) for trial in tuning.trials],
    }
    write_together(folder, {"tuning.json": json.dumps(record, indent=2).encode(), "tuning.png": picture_of(tuning)})


def place_of_tuned(path: Path) -> Path:
    """Where the tuned submission goes: beside the file that was tuned.

    Raises:
        InputError: a file is there that no search has written.
    """
    tuned = path.with_name(f"{path.stem}{SUFFIX}.py")
    ours = tuned.is_file() and not tuned.is_symlink() and MARK in tuned.read_text(encoding="utf-8", errors="replace")
    if not ours and (tuned.exists() or tuned.is_symlink()):
        raise InputError(f"{quoted(tuned)} exists, but `make tune` did not write it. Rename it.")
    return tuned


def write_tuned(submission: Submission, values: Mapping[str, Number], trials: int, task: str, place: Path) -> None:
    """Write the submission to ``place``, with the best constants of so many trials.

    Raises:
        MachineError: it cannot be written.
    """
    remark = f"{MARK}: {trials} trials on {task}, seed {TUNING_SEED}, {MODELS} models per pool."
    write_together(place.parent, {place.name: with_constants(submission, values, remark).source.encode()})
