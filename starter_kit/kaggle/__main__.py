"""The command line of the way to Kaggle: ``python -m starter_kit.kaggle``."""

from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from starter_kit.kaggle import bundle as bundles
from starter_kit.kaggle.bundle import BUNDLES, COMPETITION, METADATA
from starter_kit.kaggle.client import Patience, connect
from starter_kit.kaggle.errors import KaggleError
from starter_kit.kaggle.past import REPORTS, local_scores, past_submissions
from starter_kit.kaggle.upload import Pace, Uploader

app = typer.Typer(
    help="Take a submission to Kaggle.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
messages = Console(stderr=True)
results = Console()


class Precision(StrEnum):
    """Of the checkpoints that are saved."""

    half = "half"
    single = "single"


Submission = Annotated[Path, typer.Argument(help="The file with your unlearning function.")]
Competition = Annotated[
    str | None, typer.Option("--competition", show_default=COMPETITION, help="Its name in its URL.")
]
Bundles = Annotated[Path, typer.Option("--bundles", help="The folder of all bundles.")]
Reports = Annotated[Path, typer.Option("--reports", help="The folder of all local reports.")]


@app.command("bundle")
def bundle_command(
    submission: Submission,
    competition: Competition = None,
    precision: Annotated[Precision, typer.Option(help="Of checkpoints; single takes twice the disk.")] = Precision.half,
    folder: Bundles = BUNDLES,
) -> None:
    """Make a folder with a notebook and its metadata, ready for Kaggle."""
    with _telling_what_went_wrong():
        made = bundles.bundle(submission, competition or COMPETITION, precision is Precision.half, folder)
        _warn(made)
        _say(f"{made.notebook} and {METADATA}")


@app.command("upload")
def upload_command(
    submission: Submission, competition: Competition = None, folder: Bundles = BUNDLES, reports: Reports = REPORTS
) -> None:
    """Push the notebook, wait for its run, submit it, wait for the score."""
    with _telling_what_went_wrong():
        made = bundles.current(submission, competition, folder)
        _warn(made)
        local = local_scores(made.submission_sha256, reports)
        if not local:
            messages.print("This submission, as it is now, has no local score: make score.", style="yellow")
        with _progress() as show:
            scored = Uploader(connect(Patience()), Patience(), Pace(), show).upload(made)
        _say(f"{made.name} on Kaggle: {scored.private or '?'} (private), {scored.public or '?'} (public)")
        for one in local:
            _say(f"{made.name} here: {one}")


@app.command("submissions")
def submissions_command(competition: Competition = None, reports: Reports = REPORTS) -> None:
    """List past submissions, with local scores beside Kaggle's."""
    with _telling_what_went_wrong():
        competition = competition or COMPETITION
        table = Table("number", "date", "what", "status", "private", "public", "here", title=competition)
        for one in past_submissions(connect(Patience()), competition, Patience(), reports):
            here = "\n".join(map(str, one.local))
            table.add_row(str(one.ref), one.date, one.description, one.status, one.private, one.public, here)
        results.print(table if table.row_count else f"There are no submissions of yours to {competition}.")


def _warn(made: bundles.Bundle) -> None:
    for warning in made.warnings:
        messages.print(f"Warning: {warning}", style="yellow", markup=False, highlight=False, soft_wrap=True)


def _say(text: str) -> None:
    results.print(text, markup=False, highlight=False, soft_wrap=True)


@contextmanager
def _progress() -> Iterator:
    """A line that is kept up to date on a terminal; elsewhere a line whenever more than the time has changed."""
    if messages.is_terminal:
        with messages.status("connecting") as status:
            yield lambda text: status.update(text)
        return
    said = ""

    def show(text: str) -> None:
        nonlocal said
        what = text.rpartition(", ")[0] or text
        if what != said:
            messages.print(text, markup=False, highlight=False, soft_wrap=True)
        said = what

    yield show


@contextmanager
def _telling_what_went_wrong() -> Iterator[None]:
    """Errors that a person can act on as a message and an exit code; any other is ours and shows its traceback."""
    try:
        yield
    except KaggleError as error:
        messages.print(str(error), style="red", markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(1) from error
    except KeyboardInterrupt:
        messages.print("Stopped waiting. What runs on Kaggle goes on; make submissions shows it.", style="yellow")
        raise typer.Exit(130) from None


if __name__ == "__main__":
    app(prog_name="python -m starter_kit.kaggle")
