"""Persistent worker processes with one thread each; the default.

A worker that dies costs the row it was at: that index is given to another one. A worker that runs out of memory
gives its memory back by ending, and is not replaced while others are left.
"""

import multiprocessing
import os
import signal
import traceback
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess

import torch

from scoring.backends import Job
from scoring.errors import KitError, MachineError
from scoring.store import Row

ATTEMPTS = 3
"""How often one index may take its worker down before the run is given up."""

OUT_OF_MEMORY = 77
"""A worker's exit code for it."""

LIKELY_CAUSES: dict[int, str] = {
    signal.SIGKILL: ", which the system sends when memory runs out",
    signal.SIGBUS: ", which the system sends when the shared memory in /dev/shm runs out",
}


@dataclass
class _Worker:
    process: BaseProcess
    pipe: Connection
    number: int
    index: int | None = None


def run(job: Job, indices: Sequence[int], workers: int) -> Iterator[tuple[int, Row]]:
    """Run the indices on ``workers`` processes.

    Raises:
        MachineError: an index lost its worker three times.
        Exception: whatever the job raised at an index.
    """
    waiting = list(reversed(indices))
    lost: Counter[int] = Counter()
    crew: list[_Worker] = []
    try:
        while waiting or any(worker.index is not None for worker in crew):
            idle = [worker for worker in crew if worker.index is None]
            while waiting and (idle or len(crew) < workers):
                worker = idle.pop() if idle else _start(job, crew)
                worker.index = waiting.pop()
                _send(worker, worker.index)

            by_pipe = {worker.pipe: worker for worker in crew if worker.index is not None}
            for ready in wait(list(by_pipe)):
                worker = by_pipe[ready]  # type: ignore[index]
                index = worker.index
                assert index is not None
                try:
                    result = worker.pipe.recv()
                except (EOFError, ConnectionResetError):
                    crew.remove(worker)
                    reason = _reason(worker)
                    lost[index] += 1
                    if lost[index] == ATTEMPTS:
                        raise MachineError(
                            f"Run {index} lost its worker {ATTEMPTS} times: {reason}. "
                            "Fewer workers (--workers) need less memory at a time."
                        ) from None
                    if worker.process.exitcode == OUT_OF_MEMORY:
                        workers = max(1, workers - 1)
                    waiting.append(index)
                    continue
                if isinstance(result, Exception):
                    raise result
                worker.index = None
                yield index, result
    finally:
        for worker in crew:
            worker.process.kill()
            worker.process.join()
            worker.pipe.close()


def _start(job: Job, crew: list[_Worker]) -> _Worker:
    """A new worker in the crew."""
    # The workers' C library is told to keep freed memory. A training step allocates some megabytes and frees them;
    # given back to the system each time, they come back as page faults.
    for variable in ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_"):
        os.environ.setdefault(variable, str(2**30))
    # A fork server: workers share one import of torch, and inherit no locked thread of this process.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["scoring.pools"])
    ours, theirs = context.Pipe()
    # Not daemonic: a submission may start processes of its own, such as a DataLoader's.
    taken = {worker.number for worker in crew}
    number = next(number for number in range(len(crew) + 1) if number not in taken)
    process = context.Process(target=_work, args=(job, theirs, number), daemon=False)
    process.start()
    theirs.close()
    crew.append(_Worker(process, ours, number))
    return crew[-1]


def _send(worker: _Worker, index: int) -> None:
    """Give a worker an index; if it is dead already, waiting for its answer will tell."""
    try:
        worker.pipe.send(index)
    except (BrokenPipeError, ConnectionResetError):
        return


def _reason(worker: _Worker) -> str:
    """How a worker ended."""
    worker.process.join()
    worker.pipe.close()
    code = worker.process.exitcode
    if code == OUT_OF_MEMORY:
        return "out of memory"
    if code is not None and code < 0:
        return f"killed by {signal.Signals(-code).name}{LIKELY_CAUSES.get(-code, '')}"
    return f"it ended with exit code {code}"


def _work(job: Job, pipe: Connection, number: int) -> None:
    """A worker's life: prepare, then do what comes down the pipe until its other end is gone."""
    # Ctrl-C is the parent's to handle.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # What submissions print would tear the progress bar. The serial backend shows it.
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)
    os.dup2(silence, 2)
    torch.set_num_threads(1)
    if torch.cuda.is_available():
        # What "cuda" means in this worker: all GPUs get their share of the workers.
        torch.cuda.set_device(number % torch.cuda.device_count())
    do = None
    while True:
        try:
            index = pipe.recv()
        except (EOFError, ConnectionResetError):
            return
        try:
            do = do or job.prepare()
            result: Row | Exception = do(index)
        except (MemoryError, torch.OutOfMemoryError):
            os._exit(OUT_OF_MEMORY)
        except Exception as error:
            # An exception that travels leaves its traceback behind; a fault of this kit is found by it.
            if not isinstance(error, KitError):
                error.add_note(traceback.format_exc())
            result = error
        try:
            pipe.send(result)
        except (BrokenPipeError, ConnectionResetError):
            return
