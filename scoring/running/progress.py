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
"""Of the column of names: that of the longest submission."""


LONGEST_NAME = 80
"""Of a pool, on the screen."""


A_LINE_EVERY = 60.0
"""Seconds between lines where the output is no terminal."""


MOST_NAMED = 4
"""Pools that a plan names. It counts the models of more."""


@dataclass(frozen=True)
class Stage:
    """A pool that a command makes.

    Attributes:
        name: the pool's.
        models: how many it has.
        stored: how many of them are there already, with parts of others.
        seconds: about how long each takes, on all workers together; None if nothing is known yet.
        seed: the run's.
    """

    name: str
    models: int
    stored: float
    seconds: float | None
    seed: int = 0

    @property
    def missing(self) -> float:
        """How many are to be made."""
        return self.models - self.stored


class Progress:
    """On a terminal, one bar for the whole command with the time left. Everywhere, one line per finished pool.

    Where the output is no terminal, a line per minute says how far a pool is.
    """

    def __init__(self, console: Console) -> None:
        self.console = console
        self._stages: list[Stage] = []
        self._passed = 0

    @property
    def quiet(self) -> "Progress":
        """One that shows nothing."""
        return Progress(Console(quiet=True))

    def expect(self, stages: Sequence[Stage]) -> None:
        """Say what the command is going to make. From now on the bar counts all of it."""
        self.say(plan_of(stages))
        self._stages, self._passed = list(stages), 0

    @contextmanager
    def pool(
        self, name: str, models: int, stored: int, unit: str = "models", seed: int = 0
    ) -> Iterator[Callable[[float], None]]:
        """Show a pool of ``models`` being made, of which some are ``stored`` already.

        It gives a function to call with the number of finished models, which may count parts of others. ``unit`` names
        them, in the plural.
        """
        keys = [(stage.name, stage.seed) for stage in self._stages]
        place = keys.index((name, seed)) if (name, seed) in keys else -1
        # Stages of submissions that failed are passed over. What was not expected, and what comes again, lies between
        # two stages.
        expected = place >= self._passed
        begin = place if expected else self._passed
        rest = self._stages[begin + expected :]
        guess = self._stages[begin].seconds if expected else None
        before = sum(stage.models for stage in self._stages[:begin])
        total = sum(stage.models for stage in self._stages) or models
        several = len({stage.seed for stage in self._stages}) > 1
        shown = quoted(name, LONGEST_NAME) + (f", seed {seed}" if several else "")
        start = last_line = perf_counter()
        with self._bar(shown, total) as (bar, task):

            def show(made: float) -> None:
                nonlocal last_line
                rate = (perf_counter() - start) / (made - stored) if made > stored else guess
                left = _in_words(_seconds_of([Stage(name, models, made, rate), *rest]))
                at = before + made if expected or not self._stages else before
                bar.update(task, completed=at, share=f"{int(made)}/{models}", left=left)
                if not self.console.is_terminal and perf_counter() - last_line >= A_LINE_EVERY:
                    last_line = perf_counter()
                    self.say(f"{shown:<{WIDTH}} {int(made):>4} of {models} {unit}   {left}")

            show(stored)
            yield show
        self._passed = begin + expected
        seconds = perf_counter() - start
        made = models - stored
        how = f"{made} made in {duration(seconds)}" if made else "all stored"
        found = f", {stored} already stored" if made and stored else ""
        self.say(f"{shown:<{WIDTH}} {models:>4} {unit if models > 1 else unit.removesuffix('s'):<6}   {how}{found}")

    @contextmanager
    def _bar(self, name: str, total: int) -> Iterator[tuple[Bar, TaskID]]:
        columns = (
            # Descriptions are shown as they are, and a name may be a stranger's.
            TextColumn(f"{{task.description:<{WIDTH}}}", markup=False),
            BarColumn(),
            TextColumn("{task.fields[share]:>9}", markup=False),
            TextColumn("{task.fields[left]:<16}", markup=False),
        )
        with Bar(*columns, console=self.console, transient=True, disable=not self.console.is_terminal) as bar:
            yield bar, bar.add_task(name, total=total, share="", left="")

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
    """What a command will make, how long that takes, and what is stored, in a line."""
    models, missing = sum(stage.models for stage in stages), sum(stage.missing for stage in stages)
    if not missing:
        return f"All {models:,} models are stored."
    names = dict.fromkeys(stage.name for stage in stages if stage.missing)
    to_make = [f"{sum(one.missing for one in stages if one.name == name):,} {quoted(name)}" for name in names]
    listed = f" ({', '.join(to_make)})" if len(to_make) <= MOST_NAMED else ""
    seconds = _seconds_of(stages)
    about = "" if seconds is None else f", about {duration(seconds)}"
    return f"To make: {missing:,} models{listed}{about}. Stored: {models - missing:,}."


def _seconds_of(stages: Sequence[Stage]) -> float | None:
    """How long it takes to make what is missing; None if nobody knows."""
    times = [None if stage.seconds is None else stage.missing * stage.seconds for stage in stages if stage.missing]
    known = [time for time in times if time is not None]
    return sum(known) if len(known) == len(times) else None


def _in_words(seconds: float | None) -> str:
    """The time that is left."""
    return "" if seconds is None else f"{duration(seconds)} left"
