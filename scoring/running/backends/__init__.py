"""Backends: ways to run a job's units. A file here is one, and its name is the backend's name.

It defines one function and one constant::

    run(job, indices, workers) -> iterator of (index, row)
    ISOLATES: whether submissions run apart from the process that judges

Rows come in any order, each index once. ``row_maker(job)`` gives the function from an index to its row; a worker calls
it once and then makes many rows. A row depends on the job and the index alone, so every backend gives the bits of
``serial`` on a CPU. Closing the iterator stops all work.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from scoring.jobs.job import Job, Row
from scoring.running.host import made_by

Run = Callable[[Job, Sequence[int], int], Iterator[tuple[int, Row]]]


@dataclass(frozen=True)
class Backend:
    """A way to run jobs."""

    run: Run
    isolates: bool


def names() -> list[str]:
    """The names of all backends."""
    return sorted(path.stem for path in Path(__file__).parent.glob("[!_]*.py"))


def load(name: str) -> Backend:
    """The backend of that name."""
    module = import_module(f"{__name__}.{name}")
    return Backend(module.run, module.ISOLATES)


def row_maker(job: Job) -> Callable[[int], Row]:
    """The function from an index to its row, which also says who made it."""
    make = job.prepare()
    return lambda index: make(index) | {"made_by": made_by()}
