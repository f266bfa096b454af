"""Backends: ways to run N seeded jobs. A file here is one, with one function::

    run(job, indices, workers) -> iterator of (index, row)

``job`` is picklable and ``job.prepare()`` gives the function from an index to its row; a worker prepares once and
runs many indices. Rows come in any order, each index once. A row depends on the job and the index alone, so
every backend gives the same bits on the CPU. Closing the iterator stops all work.
"""

from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import Protocol

from scoring.store import Row


class Job(Protocol):
    """N pieces of work that differ in their index alone."""

    @property
    def size(self) -> int:
        """How many models a row holds."""

    def prepare(self) -> Callable[[int], Row]:
        """Load what all indices share, and return the function that does one."""


Backend = Callable[[Job, Sequence[int], int], Iterator[tuple[int, Row]]]


def names() -> list[str]:
    """The backends that there are."""
    return sorted(path.stem for path in Path(__file__).parent.glob("[!_]*.py"))


def load(name: str) -> Backend:
    """The ``run`` of the backend of that name."""
    return import_module(f"{__name__}.{name}").run
