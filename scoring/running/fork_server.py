"""The process that all workers are forks of: it imports once what each of them needs."""

import multiprocessing
import os
import pickle
import sys
from multiprocessing import forkserver
from multiprocessing.context import BaseContext
from types import TracebackType

METHOD = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
"""A fork server lets workers share one import of torch, and they inherit no locked thread of this process."""

PRELOADED = ["scoring.running.preload"]


def context() -> BaseContext:
    """What starts workers."""
    # These make the workers' C library keep freed memory. A training step allocates and frees some megabytes; if they
    # went back to the system each time, every step would pay for page faults.
    for variable in ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_"):
        os.environ.setdefault(variable, str(2**30))
    found = multiprocessing.get_context(METHOD)
    found.set_forkserver_preload(PRELOADED)
    return found


def start_early() -> None:
    """Start it before it is needed. It takes seconds to import, and meanwhile this process can do so too."""
    context()
    if METHOD == "forkserver":
        forkserver.ensure_running()


def keep_quiet_about_lost_starts() -> None:
    """Show no traceback of a process whose start was cut off: the program was killed while it sent the job."""
    sys.excepthook = _show_all_but_lost_starts


def _show_all_but_lost_starts(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if not isinstance(error, EOFError | pickle.UnpicklingError):
        sys.__excepthook__(kind, error, trace)
