"""Processes of a submission, and that none of them outlives its run."""

import ctypes
import gc
import multiprocessing
import os
import signal
import sys
import time
from contextlib import suppress
from multiprocessing import forkserver, resource_tracker

import psutil

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER, PR_GET_CHILD_SUBREAPER = 1, 36, 37
MADV_COLLAPSE = 25
LARGE_PAGE = 2**21


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


def end_adopted() -> None:
    """Kill what this process has adopted: what a run had started when its keeper was killed.

    All its other children are Python's own helpers and the processes that ``multiprocessing`` knows. A process that
    adopts no orphans may have others, so there nothing is done.
    """
    if not _adopts_orphans():
        return
    # The children of one that ends are adopted in their turn.
    while adopted := _adopted():
        for child in adopted:
            with suppress(psutil.NoSuchProcess):
                for process in (*child.children(recursive=True), child):
                    process.kill()
        psutil.wait_procs(adopted, timeout=1)


def _adopted() -> list[psutil.Process]:
    helpers = {forkserver._forkserver._forkserver_pid, resource_tracker._resource_tracker._pid}  # type: ignore[attr-defined]
    known = helpers | {process.pid for process in multiprocessing.active_children()}
    return [child for child in psutil.Process().children() if child.pid not in known]


def _adopts_orphans() -> bool:
    adopts = ctypes.c_int()
    _prctl(PR_GET_CHILD_SUBREAPER, ctypes.addressof(adopts))
    return bool(adopts.value)


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


def use_gpu(device: str, number: int) -> None:
    """Let "cuda" mean one GPU in this process: the device's own, or by the process's number if it names none."""
    import torch  # The command line imports this module, and no help text should wait for torch.

    wanted = torch.device(device)
    if wanted.type == "cuda":
        torch.cuda.set_device(number % torch.cuda.device_count() if wanted.index is None else wanted.index)


def pack_memory() -> None:
    """Make forks of this process cheap: freeze its objects, and move its memory into large pages.

    A garbage collection writes to every object that it visits, which unshares their memory; it leaves out frozen ones.
    And to fork a process that has imported torch takes ten milliseconds, and to end the fork as many again, since its
    memory is 90,000 pages of 4 kB. In pages of 2 MB both take a quarter of that. Linux moves it there since 6.1;
    elsewhere it stays where it is.
    """
    gc.collect()
    gc.freeze()
    if sys.platform != "linux":
        return
    advise = ctypes.CDLL(None).madvise
    advise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    with open("/proc/self/maps") as lines:
        areas = [line.split()[:5] for line in lines]
    for addresses, rights, *_, inode in areas:
        start, end = (int(address, 16) for address in addresses.split("-"))
        start, end = -(-start // LARGE_PAGE) * LARGE_PAGE, end // LARGE_PAGE * LARGE_PAGE
        if inode == "0" and rights.startswith("rw") and start < end:
            advise(start, end - start, MADV_COLLAPSE)


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, ctypes.c_ulong(value), 0, 0, 0)
