"""What the user sees while pools are being made."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import perf_counter

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, ProgressColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar
from rich.progress import Task as BarTask
from rich.text import Text

from starter_kit.errors import plain, quoted

WIDTH = 30
"""Of a pool's name: that of the longest submission."""


LONGEST_NAME = 80
"""Of a pool, on the screen."""


class _Rate(ProgressColumn):
    """Models per second, or seconds per model, counting only what this run makes itself."""

    def render(self, task: BarTask) -> Text:
        if not task.speed:
            return Text("")
        return Text(f"{task.speed:.1f} models/s" if task.speed >= 1 else f"{1 / task.speed:.1f} s per model")


class Progress:
    """On a terminal a bar with rate and time left; everywhere one line when a pool is complete."""

    def __init__(self, console: Console) -> None:
        self.console = console

    @property
    def quiet(self) -> "Progress":
        """One that shows nothing."""
        return Progress(Console(quiet=True))

    @contextmanager
    def pool(self, name: str, models: int, stored: int, unit: str = "models") -> Iterator[Callable[[float], None]]:
        """Show a pool of ``models`` being made, of which some are ``stored`` already.

        It gives a function to call with the number of finished models, which may count parts of others. ``unit`` names
        them, in the plural.
        """
        # The bar shows descriptions as they are, and a name may be a stranger's.
        name = quoted(name, LONGEST_NAME)
        columns = (
            TextColumn(f"{{task.description:<{WIDTH}}}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            _Rate(),
            TimeRemainingColumn(),
        )
        start = perf_counter()
        # The rate of the last minute, so that it follows when the machine gets busy.
        with Bar(
            *columns,
            console=self.console,
            transient=True,
            disable=not self.console.is_terminal,
            speed_estimate_period=60,
        ) as bar:
            task = bar.add_task(name, total=models, completed=stored)
            yield lambda made: bar.update(task, completed=made)
        seconds = perf_counter() - start
        made = models - stored
        how = f"{made} made in {duration(seconds)}" if made else "all found in the store"
        found = f", {stored} found in the store" if made and stored else ""
        self.say(f"{name:<{WIDTH}} {models:>4} {unit if models > 1 else unit.removesuffix('s'):<6}   {how}{found}")

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
