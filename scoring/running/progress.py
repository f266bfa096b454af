"""What the user sees while pools are being made."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from time import perf_counter

from rich.console import Console
from rich.progress import BarColumn, TaskID, TextColumn
from rich.progress import Progress as Bar
from rich.text import Text

from starter_kit.errors import plain, quoted

WIDTH = 30
"""Of a pool's name: that of the longest submission."""


LONGEST_NAME = 80
"""Of a pool, on the screen."""


A_LINE_EVERY = 60.0
"""Seconds between lines where the output is no terminal."""


@dataclass(frozen=True)
class Stage:
    """A pool that a command makes.

    Attributes:
        name: the pool's.
        models: how many it has.
        stored: how many of them are there already.
        seconds: about how long each takes, on all workers together; None if nothing is known yet.
    """

    name: str
    models: int
    stored: int
    seconds: float | None

    @property
    def missing(self) -> int:
        """How many are to be made."""
        return self.models - self.stored


@dataclass
class _Command:
    """A command's stages, and what is still to come of each."""

    stages: dict[str, Stage]
    bar: Bar
    task: TaskID

    def show(self, name: str, made: float, models: int, per_model: float | None) -> float | None:
        """Move the bar to where stage ``name`` is, and give the seconds left; None if nobody knows."""
        names = list(self.stages)
        place = names.index(name) if name in names else len(names)
        before = sum(self.stages[one].models for one in names[:place])
        left = self._left(names[place:], name, made, per_model)
        share = f"{int(made)}/{models}"
        self.bar.update(self.task, completed=before + made, description=name, share=share, left=_in_words(left))
        return left

    def _left(self, names: Sequence[str], current: str, made: float, per_model: float | None) -> float | None:
        total = 0.0
        for name in names:
            stage = self.stages[name]
            missing = stage.models - made if name == current else stage.missing
            seconds = per_model if name == current and per_model is not None else stage.seconds
            if missing and seconds is None:
                return None
            total += missing * (seconds or 0.0)
        return total


class Progress:
    """On a terminal one bar for the whole command, with the time left; everywhere a line when a pool is complete.

    Where the output is no terminal, a line a minute says how far a pool is.
    """

    def __init__(self, console: Console) -> None:
        self.console = console
        self._command: _Command | None = None

    @property
    def quiet(self) -> "Progress":
        """One that shows nothing."""
        return Progress(Console(quiet=True))

    @contextmanager
    def command(self, stages: Sequence[Stage]) -> Iterator[None]:
        """Say what a command will make, and show one bar for all of it."""
        self.say(plan_of(stages))
        with self._bar(sum(stage.models for stage in stages)) as (bar, task):
            self._command = _Command({stage.name: stage for stage in stages}, bar, task)
            try:
                yield
            finally:
                self._command = None

    @contextmanager
    def pool(self, name: str, models: int, stored: int, unit: str = "models") -> Iterator[Callable[[float], None]]:
        """Show a pool of ``models`` being made, of which some are ``stored`` already.

        It gives a function to call with the number of finished models, which may count parts of others. ``unit`` names
        them, in the plural.
        """
        if self._command is None:
            stage = Stage(name, models, stored, None)
            with self._bar(models) as (bar, task):
                self._command = _Command({name: stage}, bar, task)
                try:
                    with self._pool(name, models, stored, unit) as show:
                        yield show
                finally:
                    self._command = None
        else:
            with self._pool(name, models, stored, unit) as show:
                yield show

    @contextmanager
    def _bar(self, models: int) -> Iterator[tuple[Bar, TaskID]]:
        columns = (
            # Descriptions are shown as they are, and a name may be a stranger's.
            TextColumn(f"{{task.description:<{WIDTH}}}", markup=False),
            BarColumn(),
            TextColumn("{task.fields[share]:>9}", markup=False),
            TextColumn("{task.fields[left]}", markup=False),
        )
        with Bar(*columns, console=self.console, transient=True, disable=not self.console.is_terminal) as bar:
            yield bar, bar.add_task("", total=models, share="", left="")

    @contextmanager
    def _pool(self, name: str, models: int, stored: int, unit: str) -> Iterator[Callable[[float], None]]:
        command, shown = self._command, quoted(name, LONGEST_NAME)
        assert command is not None, "a pool is shown within a command"
        start = last_line = perf_counter()

        def show(made: float) -> None:
            nonlocal last_line
            elapsed = perf_counter() - start
            rate = elapsed / (made - stored) if made > stored else None
            left = command.show(name, made, models, rate)
            if not self.console.is_terminal and perf_counter() - last_line >= A_LINE_EVERY:
                last_line = perf_counter()
                self.say(f"{shown:<{WIDTH}} {int(made):>4} of {models} {unit}   {_in_words(left)}")

        show(stored)
        yield show
        seconds = perf_counter() - start
        made = models - stored
        how = f"{made} made in {duration(seconds)}" if made else "all found in the store"
        found = f", {stored} found in the store" if made and stored else ""
        self.say(f"{shown:<{WIDTH}} {models:>4} {unit if models > 1 else unit.removesuffix('s'):<6}   {how}{found}")

    def say(self, text: str) -> None:
        """Print a line, above the bar if there is one."""
        self.console.print(Text(plain(text)), soft_wrap=True)


def duration(seconds: float) -> str:
    """Seconds in words: 0.42 s, 8.1 s, 3 min 12 s, 1 h 4 min."""
    if seconds < 10:
        return f"{seconds:.2g} s"
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def plan_of(stages: Sequence[Stage]) -> str:
    """What a command will make, and how long that takes, in a sentence."""
    models, missing = sum(stage.models for stage in stages), sum(stage.missing for stage in stages)
    if not missing:
        return f"{models:,} models, all there already."
    to_make = ", ".join(f"{stage.missing:,} {quoted(stage.name)}" for stage in stages if stage.missing)
    there = f"; {models - missing:,} are there already" if missing < models else ""
    times = [None if stage.seconds is None else stage.missing * stage.seconds for stage in stages if stage.missing]
    known = [time for time in times if time is not None]
    about = f", about {duration(sum(known))}" if len(known) == len(times) else ""
    return f"{models:,} models{about}: {to_make} to make{there}."


def _in_words(seconds: float | None) -> str:
    """The time that is left."""
    return "" if seconds is None else f"{duration(seconds)} left"
