"""Backends: ways to run a job's units. A file here is one, and its name is the backend's name.

It defines one function and one constant::

    run(job, indices, workers, report) -> iterator of (index, row)
    ISOLATES: whether submissions run apart from the process that judges

Rows come in any order, each index once. ``row_maker(job)`` gives the function from an index to its row; a worker calls
it once and then makes many rows. ``report(index, share)`` is called, at most five times a second per worker, with the
share of a row that is done. A row depends on the job and the index alone, so every backend gives the bits of
``serial`` on a CPU. Closing the iterator stops all work.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from time import monotonic
from typing import Protocol

from scoring.jobs.job import Job, Row
from scoring.running.host import made_by
from starter_kit.errors import InputError
from starter_kit.training import Report, silent

REPORT_EVERY = 0.2
"""Seconds between reports of a worker."""

Reports = Callable[[int, float], None]
"""Told which share of a row, named by its index, is done."""


class Run(Protocol):
    """A backend's function."""

    def __call__(
        self, job: Job, indices: Sequence[int], workers: int, report: Reports = ...
    ) -> Iterator[tuple[int, Row]]:
        """Run the indices on so many workers."""


def nobody(index: int, share: float) -> None:
    """Tell nobody."""


@dataclass(frozen=True)
class Backend:
    """A way to run jobs."""

    run: Run
    isolates: bool


def names() -> list[str]:
    """The names of all backends."""
    return sorted(path.stem for path in Path(__file__).parent.glob("[!_]*.py"))


def load(name: str, sandbox: str = "") -> Backend:
    """The backend of that name.

    Args:
        name: one of ``names``.
        sandbox: "bwrap" to run submissions in bubblewrap; see `untrusted/bubblewrap.py`.

    Raises:
        InputError: the backend has no sandbox, or bubblewrap is not there.
    """
    module = import_module(f"{__name__}.{name}")
    if not sandbox:
        return Backend(module.run, module.ISOLATES)
    if name != "processes":
        raise InputError(f"SANDBOX={sandbox} needs BACKEND=processes, found {name}.")
    from scoring.untrusted import bubblewrap

    bubblewrap.check()
    return Backend(partial(module.run, start_keeper=bubblewrap.start), module.ISOLATES)


def row_maker(job: Job, report: Report = silent) -> Callable[[int], Row]:
    """The function from an index to its row, which also says who made it."""
    make = job.prepare(_not_too_often(report))
    return lambda index: make(index) | {"made_by": made_by()}


def _not_too_often(report: Report) -> Report:
    """The same, with reports left out that follow another one closely."""
    last = 0.0

    def reporting(share: float) -> None:
        nonlocal last
        if (now := monotonic()) - last >= REPORT_EVERY:
            last = now
            report(share)

    return reporting
