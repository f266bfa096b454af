"""The process that all workers are forks of: it imports once what each of them needs."""

import atexit
import multiprocessing
import os
import pickle
import signal
import sys
from contextlib import suppress
from multiprocessing import forkserver, resource_tracker
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
    if METHOD != "forkserver":
        return
    # If the call below had to start this, it would unblock Ctrl-C.
    resource_tracker.ensure_running()
    # The server inherits the block, until it can ignore Ctrl-C. Here a Ctrl-C is only delayed.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        forkserver.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    atexit.register(_end)


def _end() -> None:
    """End it. By itself it ends when it has imported everything, and until then it holds the program's output open."""
    server = forkserver._forkserver._forkserver_pid  # type: ignore[attr-defined]
    # If it is gone already, or another call has seen its end, there is nothing to do.
    with suppress(ProcessLookupError, ChildProcessError):
        os.kill(server, signal.SIGKILL)
        os.waitpid(server, 0)


def ignore_ctrl_c() -> None:
    """Ignore Ctrl-C in this process and in those that it forks. Until now it may have been blocked."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


def keep_quiet_about_lost_starts() -> None:
    """Show no traceback of a process whose start was cut off: the program was killed while it sent the job."""
    sys.excepthook = _show_all_but_lost_starts


def _show_all_but_lost_starts(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if not isinstance(error, EOFError | pickle.UnpicklingError):
        sys.__excepthook__(kind, error, trace)
