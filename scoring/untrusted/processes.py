"""Processes of a submission, and that none of them outlives its run."""

import ctypes
import os
import signal
import sys
import time
from contextlib import suppress

import psutil

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36


def adopt_orphans() -> None:
    """Make this process the parent of all its descendants whose own parent ends. Linux only."""
    _prctl(PR_SET_CHILD_SUBREAPER, 1)


def end_with(parent: int) -> None:
    """Have this process killed as soon as its parent, whose id is given, ends. Linux only."""
    _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def end_descendants() -> None:
    """Kill and reap everything that descends from this process.

    A descendant that left the process group, or whose parent ended, is found as well where ``adopt_orphans`` works.
    """
    while _has_children():
        # Those that start new ones meanwhile are found in the next round.
        for child in psutil.Process().children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                child.kill()
        time.sleep(0.001)


def _has_children() -> bool:
    """Whether any child is left, after reaping those that ended."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            continue
    except ChildProcessError:
        return False
    return True


def killed_for_memory() -> int | None:
    """How many processes this machine has killed because memory ran out; None where the system does not say."""
    with suppress(OSError), open("/proc/vmstat") as lines:
        for line in lines:
            if line.startswith("oom_kill "):
                return int(line.split()[1])
    return None


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)
