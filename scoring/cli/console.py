"""What the commands print, and how errors end them."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import typer
from rich.console import Console

from starter_kit.errors import KitError

messages = Console(stderr=True)
"""Progress, warnings and errors."""

results = Console()
"""What a command was asked for."""


def say(text: object) -> None:
    """Print a line of the result, as it is."""
    results.print(str(text), markup=False, highlight=False, soft_wrap=True)


def warn(warnings: Iterable[str]) -> None:
    """Print warnings, one per line."""
    for warning in warnings:
        messages.print(f"Warning: {warning}", style="yellow", markup=False, highlight=False, soft_wrap=True)


def say_notes(notes: Iterable[str]) -> None:
    """Print the notes of a result, one per line."""
    for note in notes:
        results.print(f"* {note}", style="yellow", highlight=False, markup=False, soft_wrap=True)


def say_error(text: str) -> None:
    """Print what went wrong."""
    messages.print(text, style="red", markup=False, highlight=False, soft_wrap=True)


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
    except KeyboardInterrupt:
        messages.print(interrupted, style="yellow")
        raise typer.Exit(130) from None
