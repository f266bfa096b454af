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

PAGES = ("report.html", "comparison.html")

Reports = Annotated[
    Path, typer.Option("--reports", parser=a_folder, show_default=str(REPORTS), help="The folder of all reports.")
]


def show_command(reports: Reports = REPORTS) -> None:
    """Open the newest page, or print its path where there is no browser."""
    with reporting_errors(INTERRUPTED):
        found = [path for name in PAGES for path in reports.rglob(name)]
        if not found:
            raise InputError(f"There is no page below {quoted(reports)} yet. Run make score first.")
        newest = max(found, key=lambda path: path.stat().st_mtime).resolve()
        if not webbrowser.open(newest.as_uri()):
            say(quoted(newest))


def leaderboard_command(
    reports: Reports = REPORTS,
    out: Annotated[
        Path | None,
        typer.Option("--out", parser=a_path, show_default="out/leaderboard", help="The folder to write."),
    ] = None,
) -> None:
    """Write a page per task with all scores below a folder, and the same as CSV, JSON and results.jsonl."""
    from scoring.reports import leaderboard

    with reporting_errors(INTERRUPTED):
        folder = out or MADE / "leaderboard"
        for page in leaderboard.write(reports, folder):
            say(quoted(page))
        say(f"{quoted(folder)}/results.jsonl")


COMMANDS: dict[str, Callable] = {"show": show_command, "leaderboard": leaderboard_command}
