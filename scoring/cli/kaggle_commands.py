"""The commands for Kaggle: bundle, rehearse, upload, submissions."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from scoring.cli import score_commands
from scoring.cli.console import messages, reporting_errors, results, say, warn
from scoring.cli.options import (
    FEWEST_MODELS,
    MADE,
    REPORTS,
    BackendName,
    Data,
    Device,
    Models,
    Seed,
    StartModel,
    Store,
    Submission,
    TaskName,
    Workers,
)
from scoring.cli.pools import backend_of, pools_of
from scoring.cli.values import a_folder, a_path
from starter_kit.errors import plain, quoted
from starter_kit.kaggle import bundle as bundles
from starter_kit.kaggle.bundle import BUNDLES, COMPETITION, METADATA
from starter_kit.kaggle.client import Patience, connect
from starter_kit.kaggle.past import local_scores, past_submissions
from starter_kit.kaggle.upload import Pace, Uploader

INTERRUPTED = "Stopped waiting. The run on Kaggle continues; `make submissions` shows it."


class Precision(StrEnum):
    """Of the checkpoints that a notebook saves."""

    half = "half"
    single = "single"


Competition = Annotated[
    str | None, typer.Option("--competition", show_default=COMPETITION, help="The competition's name in its URL.")
]
Bundles = Annotated[Path, typer.Option("--bundles", parser=a_folder, help="The folder of all bundles.")]
Reports = Annotated[Path, typer.Option("--reports", parser=a_folder, help="The folder of all local reports.")]


def bundle_command(
    submission: Submission,
    competition: Competition = None,
    precision: Annotated[
        Precision, typer.Option(help="Precision of the checkpoints. single needs twice the disk space.")
    ] = Precision.half,
    folder: Bundles = BUNDLES,
) -> None:
    """Make a folder with a notebook and its metadata, ready for Kaggle."""
    with reporting_errors(INTERRUPTED):
        made = bundles.bundle(submission, competition or COMPETITION, precision is Precision.half, folder)
        warn(made.warnings)
        say(f"{quoted(made.notebook)} and {METADATA}")


def rehearse_command(
    submission: Submission,
    task: TaskName = "faces:600",
    data: Data = None,
    model: StartModel = None,
    models: Models = FEWEST_MODELS,
    device: Device = "",
    seed: Seed = 0,
    out: Annotated[
        Path | None,
        typer.Option("--out", parser=a_path, show_default="out/rehearsals/NAME", help="The folder for its files."),
    ] = None,
    store: Store = MADE / "store",
    workers: Workers = None,
    backend: BackendName = "processes",
) -> None:
    """Run a submission's Kaggle notebook here as Kaggle would, and score the submission.zip that it writes."""
    from scoring import rehearsal
    from scoring.reports.place import check_place

    with reporting_errors(score_commands.INTERRUPTED):
        (pools,) = pools_of(task, data, model, device, (seed,), store, workers, backend_of(backend))
        folder = out or MADE / "rehearsals" / submission.stem
        if not folder.is_file():
            check_place(folder, ())
        score_commands.report(rehearsal.rehearse(submission, pools, models, folder), folder / rehearsal.REPORT)


def upload_command(
    submission: Submission, competition: Competition = None, folder: Bundles = BUNDLES, reports: Reports = REPORTS
) -> None:
    """Push the notebook, wait for its run, submit it, wait for the score."""
    with reporting_errors(INTERRUPTED):
        made = bundles.current(submission, competition, folder)
        warn(made.warnings)
        local = local_scores(made.submission_sha256, reports)
        if not local:
            messages.print("This version of the submission has no local score. Run `make score` first.", style="yellow")
        with _progress() as show:
            scored = Uploader(connect(Patience()), Patience(), Pace(), show).upload(made)
        private, public = quoted(scored.private or "?"), quoted(scored.public or "?")
        say(f"{quoted(made.name)} on Kaggle: {private} (private), {public} (public)")
        for one in local:
            say(f"{quoted(made.name)} here: {one}")


def submissions_command(competition: Competition = None, reports: Reports = REPORTS) -> None:
    """List past submissions, with local scores beside Kaggle's."""
    with reporting_errors(INTERRUPTED):
        competition = competition or COMPETITION
        table = Table("number", "date", "description", "status", "private", "public", "here", title=quoted(competition))
        for one in past_submissions(connect(Patience()), competition, Patience(), reports):
            here = "\n".join(map(str, one.local))
            told = map(quoted, (one.ref, one.date, one.description, one.status, one.private, one.public))
            table.add_row(*told, here)
        results.print(table if table.row_count else f"You have no submissions to {quoted(competition)}.")


@contextmanager
def _progress() -> Iterator[Callable[[str], None]]:
    """On a terminal a line that is kept up to date; elsewhere a line whenever more than the time has changed."""
    if messages.is_terminal:
        with messages.status("connecting") as status:
            # As text, which rich does not read for its own markup.
            yield lambda text: status.update(Text(plain(text)))
        return
    said = ""

    def show(text: str) -> None:
        nonlocal said
        what = text.rpartition(", ")[0] or text
        if what != said:
            messages.print(text, soft_wrap=True)
        said = what

    yield show


COMMANDS: dict[str, Callable] = {
    "bundle": bundle_command,
    "rehearse": rehearse_command,
    "upload": upload_command,
    "submissions": submissions_command,
}
