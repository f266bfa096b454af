"""What the commands print, and how errors end them. Text from outside reaches the terminal here, and never raw."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.text import Text

from scoring.reports import CONTRADICTED
from starter_kit.errors import KitError, plain, quoted

HEAD, TAIL = 40, 60
"""The lines of a longer message that are shown: where it begins, and where it ends."""

WIDEST = 2000
"""Characters of a line of a message."""


class PlainConsole(Console):
    """A console on which every text is only text: no markup, no emoji codes, no control characters.

    Rich turns each string into text here, also those in the cells and the titles of tables.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(markup=False, emoji=False, highlight=False, **options)

    def render_str(self, text: str, **options: Any) -> Text:
        """The text, with what a terminal would obey shown escaped."""
        return super().render_str(plain(text), **options | {"markup": False, "emoji": False})


messages = PlainConsole(stderr=True)
"""Progress, warnings and errors."""

results = PlainConsole()
"""What a command was asked for."""


def say(text: object) -> None:
    """Print a line of the result, as it is."""
    results.print(str(text), soft_wrap=True)


def warn(warnings: Iterable[str]) -> None:
    """Print warnings, one per line."""
    for warning in warnings:
        messages.print(f"Warning: {warning}", style="yellow", soft_wrap=True)


def warn_of_strangers(paths: Iterable[Path], sandbox: str) -> None:
    """Warn of submissions that other people may have written, if they run outside a sandbox."""
    own = Path("submissions").resolve()
    strange = [path for path in paths if path.exists() and not (sandbox or path.resolve().is_relative_to(own))]
    if strange:
        names = ", ".join(quoted(path) for path in strange)
        verb = "is" if len(strange) == 1 else "are"
        advice = "Unless you wrote all of this code yourself, add SANDBOX=bwrap for stronger isolation."
        warn([f"{names} {verb} not in submissions/. {advice}"])


def say_notes(notes: Iterable[str]) -> None:
    """Print the notes of a result, one per line."""
    for note in notes:
        style = "red" if note.startswith(CONTRADICTED) else "yellow"
        results.print(f"* {note}", style=style, soft_wrap=True)


def say_error(text: str) -> None:
    """Print what went wrong. Of a message that fills many screens, its beginning and its end."""
    messages.print(shortened(text), style="red", soft_wrap=True)


def shortened(text: str) -> str:
    """A message without the middle of its lines, if there are very many, and of very long lines."""
    lines = [_cut(line) for line in text.split("\n")]
    if len(lines) > HEAD + TAIL:
        lines[HEAD:-TAIL] = [f"… ({len(lines) - HEAD - TAIL} lines are left out)"]
    return "\n".join(lines)


def _cut(line: str) -> str:
    return line if len(line) <= WIDEST else f"{line[:WIDEST]}… ({len(line)} characters)"


@contextmanager
def reporting_errors(interrupted: str) -> Iterator[None]:
    """End with a message and an exit code on errors that a person can act on. Others are bugs: traceback.

    Args:
        interrupted: what to say after Ctrl-C.
    """
    try:
        yield
    except KitError as error:
        say_error("\n".join([str(error), *getattr(error, "__notes__", [])]))
        raise typer.Exit(1) from error
    except EOFError as error:
        # Typer would say "Aborted." and hide a bug.
        raise RuntimeError("unexpected end of a file or pipe") from error
    except KeyboardInterrupt as stop:
        messages.print("\n".join([interrupted, *getattr(stop, "__notes__", [])]), style="yellow", soft_wrap=True)
        raise typer.Exit(130) from None
