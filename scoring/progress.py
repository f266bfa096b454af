"""What a person sees while pools are being filled."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import perf_counter

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, ProgressColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar
from rich.progress import Task as BarTask
from rich.text import Text

WIDTH = 30
"""Of the names of pools: that of the longest submission."""


class _Rate(ProgressColumn):
    """Models a second, or seconds a model, of those that this run makes itself."""

    def render(self, task: BarTask) -> Text:
        if not task.speed:
            return Text("")
        return Text(f"{task.speed:.1f} models/s" if task.speed >= 1 else f"{1 / task.speed:.1f} s a model")


class Progress:
    """A bar with rate and time left on a terminal, and everywhere one line when a pool is full."""

    def __init__(self, console: Console) -> None:
        self.console = console

    @contextmanager
    def pool(self, name: str, models: int, there: int) -> Iterator[Callable[[int], None]]:
        """While a pool of ``models`` is filled, some of them ``there``; tell what it gives how many there are."""
        columns = (
            TextColumn(f"{{task.description:<{WIDTH}}}"),
            BarColumn(),
            MofNCompleteColumn(),
            _Rate(),
            TimeRemainingColumn(),
        )
        start = perf_counter()
        # The rate goes by the last minute, so that it follows when the machine gets busy.
        with Bar(
            *columns,
            console=self.console,
            transient=True,
            disable=not self.console.is_terminal,
            speed_estimate_period=60,
        ) as bar:
            task = bar.add_task(name, total=models, completed=there)
            yield lambda made: bar.update(task, completed=made)
        seconds = perf_counter() - start
        made = models - there
        how = f"{made} made in {duration(seconds)}" if made else "all there already"
        found = f", {there} there already" if made and there else ""
        self.say(f"{name:<{WIDTH}} {models:>4} {'models' if models > 1 else 'model '}   {how}{found}")

    def say(self, text: str) -> None:
        """A line of its own, above a bar that may be there."""
        self.console.print(text, highlight=False, markup=False, soft_wrap=True)


def duration(seconds: float) -> str:
    """Seconds in words: 0.42 s, 8.1 s, 3 min 12 s, 1 h 4 min."""
    if seconds < 10:
        return f"{seconds:.2g} s"
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
