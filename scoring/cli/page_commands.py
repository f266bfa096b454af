"""The commands for pages: show, leaderboard."""

import webbrowser
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from scoring.cli.console import reporting_errors, say
from scoring.cli.options import MADE, REPORTS
from scoring.cli.values import a_folder, a_path
from starter_kit.errors import InputError, quoted

INTERRUPTED = "Stopped."

LEADERBOARD = MADE / "leaderboard"

Reports = Annotated[
    Path, typer.Option("--reports", parser=a_folder, show_default=str(REPORTS), help="The folder of all reports.")
]


def show_command(reports: Reports = REPORTS) -> None:
    """Open the newest page in a browser, if there is one, and print its path."""
    with reporting_errors(INTERRUPTED):
        comparisons = list(reports.rglob("comparison.html"))
        compared = {path.parent for path in comparisons}
        # The reports of a comparison are written after its page, which links to them.
        alone = [path for path in reports.rglob("report.html") if path.parent.parent not in compared]
        found = [*comparisons, *alone, *LEADERBOARD.glob("*.html")]
        if not found:
            raise InputError(f"No page found below {quoted(reports)}. Run make score first.")
        newest = max(found, key=lambda path: path.stat().st_mtime).resolve()
        say(quoted(newest))
        webbrowser.open(newest.as_uri())


def leaderboard_command(
    reports: Reports = REPORTS,
    out: Annotated[
        Path | None,
        typer.Option("--out", parser=a_path, show_default=str(LEADERBOARD), help="The folder to write to."),
    ] = None,
) -> None:
    """Write one page per task with all its scores, and the same data as CSV, JSON and JSON Lines."""
    from scoring.reports import leaderboard

    with reporting_errors(INTERRUPTED):
        folder = out or LEADERBOARD
        for page in leaderboard.write(reports, folder):
            say(quoted(page))
        say(f"{quoted(folder)}/results.jsonl")


COMMANDS: dict[str, Callable] = {"show": show_command, "leaderboard": leaderboard_command}
