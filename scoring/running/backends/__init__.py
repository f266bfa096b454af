"""Backends: ways to run a job's units. A file here is one, and its name is the backend's name.

It defines one function, ``backend(options) -> Backend``. The backend's ``run`` is a function::

    run(job, indices, workers, report) -> iterator of (index, row)

Rows come in any order, each index once. ``row_maker(job)`` gives the function from an index to its row; a worker calls
it once and then makes many rows. ``report(index, share)`` is called, at most five times a second per worker, with the
share of a row that is done. A row depends on the job and the index alone, so every backend gives the bits of
``serial`` on a CPU. Closing the iterator stops all work.
"""

import os
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from time import monotonic
from typing import Protocol

from scoring.jobs.job import AnotherWayError, Job, Row
from scoring.running.host import made_by
from scoring.running.machines import Machines
from scoring.untrusted.sandbox import KeeperLostError
from starter_kit.errors import InputError, KitError, out_of_gpu_memory
from starter_kit.training import Report, silent

REPORT_EVERY = 0.2
"""Seconds between reports of a worker."""

ATTEMPTS = 3
"""How often one index may lose its worker before the run is given up."""

OUT_OF_MEMORY, KEEPER_LOST = 77, 78
"""A worker's exit codes when memory runs out, and when its keeper was killed."""

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
class Options:
    """The options of backends. Each backend refuses those that it does not support.

    Attributes:
        sandbox: "bwrap" to run submissions in bubblewrap; see `untrusted/bubblewrap.py`.
        address: of a running cluster.
        share: of a GPU, for each worker of a cluster.
    """

    sandbox: str = ""
    address: str = ""
    share: float | None = None


@dataclass(frozen=True)
class Backend:
    """A way to run jobs.

    Attributes:
        run: runs them.
        isolates: whether submissions run apart from the process that judges.
        machines: what they run on.
    """

    run: Run
    isolates: bool
    machines: Machines


def names() -> list[str]:
    """The names of all backends."""
    return sorted(path.stem for path in Path(__file__).parent.glob("[!_]*.py"))


def load(name: str, options: Options | None = None) -> Backend:
    """The backend of that name, one of ``names``.

    Raises:
        InputError: it lacks what the options ask for, or something that it needs is not there.
    """
    return import_module(f"{__name__}.{name}").backend(options or Options())


def refuse(name: str, options: Options, *lacking: str) -> None:
    """Raise ``InputError`` if the options ask a backend for something that it lacks."""
    for option in lacking:
        if value := getattr(options, option):
            able = "processes or ray" if option == "sandbox" else "ray"
            raise InputError(f"{option.upper()}={value} needs BACKEND={able}, found {name}.")


def row_or_error(make: Callable[[], Row]) -> Row | Exception:
    """A row, or the error to send instead. Exits if memory runs out or the keeper is lost.

    Only the end of a process frees all of its memory.
    """
    try:
        return make()
    except MemoryError:
        os._exit(OUT_OF_MEMORY)
    except KeeperLostError:
        os._exit(KEEPER_LOST)
    except Exception as error:
        if out_of_gpu_memory(error):
            os._exit(OUT_OF_MEMORY)
        # A pickled exception loses its traceback, which is needed to find a bug in the kit.
        if not isinstance(error, KitError | AnotherWayError):
            error.add_note(traceback.format_exc())
        return error


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
