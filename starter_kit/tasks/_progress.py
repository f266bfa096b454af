"""A progress bar on the terminal while a task is read or drawn."""

from collections.abc import Iterable, Sequence
from typing import TypeVar

from rich.console import Console
from rich.progress import track

T = TypeVar("T")


def shown(items: Sequence[T], description: str) -> Iterable[T]:
    """The items, with a progress bar on standard error if that is a terminal."""
    console = Console(stderr=True)
    return track(items, description, console=console, transient=True, disable=not console.is_terminal)
