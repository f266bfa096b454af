"""Persistent worker processes with as many threads as their job needs; the default.

If a worker dies, its index is given to another one. A worker that runs out of memory ends, which frees its memory, and
is not replaced while others are left. A worker whose job runs a submission has a keeper beside it, in whose forks the
submission runs; see `untrusted/sandbox.py`.
"""

import multiprocessing
import os
import pickle
import shutil
import signal
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from time import sleep
from typing import Protocol

import torch

from scoring.jobs.job import AnotherWayError, Job, Row
from scoring.running import fork_server
from scoring.running.backends import (
    ATTEMPTS,
    KEEPER_LOST,
    OUT_OF_MEMORY,
    Backend,
    Options,
    Reports,
    nobody,
    refuse,
    row_maker,
    row_or_error,
)
from scoring.running.machines import ThisMachine
from scoring.untrusted import bubblewrap
from scoring.untrusted.keeper import keep
from scoring.untrusted.processes import end_adopted, use_gpu
from scoring.untrusted.sandbox import Sandbox
from starter_kit.errors import MachineError

TO_END = 1.0
"""Seconds that a fork server which was killed has to end: it has much memory to give back."""

TO_TIDY_UP = 10.0
"""Seconds that a keeper has to end what is left of its run."""

LIKELY_CAUSES = {
    "SIGKILL": ", which the system sends when memory runs out",
    "SIGBUS": ", which the system sends when the shared memory in /dev/shm runs out",
}


class Keeper(Protocol):
    """The process that holds what a submission gets, seen from here."""

    def join(self, timeout: float | None = None) -> None:
        """Wait for its end, at most so many seconds."""

    def kill(self) -> None:
        """End it."""


StartKeeper = Callable[[bool, int, Path, Connection], Keeper]
"""Starts a keeper: with the arguments of ``untrusted.keeper.keep``."""


def backend(options: Options) -> Backend:
    """Submissions run in forks of a keeper, in bubblewrap if that is asked for."""
    refuse("processes", options, "address", "share")
    if options.sandbox:
        bubblewrap.check()
    start = bubblewrap.start if options.sandbox else keeper_as_fork
    return Backend(partial(run, start_keeper=start), isolates=True, machines=ThisMachine(options.sandbox))


def keeper_as_fork(warm: bool, number: int, folder: Path, pipe: Connection) -> Keeper:
    """A keeper that begins as a fork of the fork server, which has imported torch."""
    process = fork_server.context().Process(  # type: ignore[attr-defined]
        target=keep, args=(warm, number, folder, pipe), daemon=False
    )
    process.start()
    return process


@dataclass
class _Worker:
    process: BaseProcess
    keeper: Keeper | None
    folder: Path
    pipe: Connection
    number: int
    index: int | None = None

    def end(self) -> None:
        """End it and its keeper. A keeper sees that its worker has ended, and ends its run first."""
        self.process.kill()
        self.process.join()
        self.pipe.close()
        if self.keeper:
            self.keeper.join(TO_TIDY_UP)
            self.keeper.kill()
            self.keeper.join()
        shutil.rmtree(self.folder, ignore_errors=True)


def run(
    job: Job,
    indices: Sequence[int],
    workers: int,
    report: Reports = nobody,
    start_keeper: StartKeeper = keeper_as_fork,
) -> Iterator[tuple[int, Row]]:
    """Run the indices on ``workers`` processes, with keepers that ``start_keeper`` starts.

    Raises:
        MachineError: an index lost its worker three times, or this system cannot isolate a submission.
        Exception: whatever the job raised at an index.
    """
    if job.handed and not hasattr(os, "fork"):
        raise MachineError(
            "This system cannot fork a process for each run of a submission. Use Linux, macOS or WSL, or "
            "BACKEND=serial, which isolates nothing."
        )
    waiting = list(reversed(indices))
    lost: Counter[int] = Counter()
    crew: list[_Worker] = []
    try:
        while waiting or any(worker.index is not None for worker in crew):
            idle = [worker for worker in crew if worker.index is None]
            while waiting and (idle or len(crew) < workers):
                worker = idle.pop() if idle else _start(job, crew, start_keeper)
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
                    worker.process.join()
                    worker.end()
                    if worker.process.exitcode == KEEPER_LOST:
                        end_adopted()
                    lost[index] += 1
                    if lost[index] == ATTEMPTS:
                        raise MachineError(
                            f"Run {index} lost its worker {ATTEMPTS} times: {_reason(worker)}. "
                            "Fewer workers (WORKERS=) need less memory."
                        ) from None
                    if worker.process.exitcode == OUT_OF_MEMORY:
                        workers = max(1, workers - 1)
                    waiting.append(index)
                    continue
                if isinstance(result, AnotherWayError):
                    # Others come to the same insight by themselves, if they need to.
                    job = replace(job, **result.changes)  # type: ignore[type-var]
                    crew.remove(worker)
                    worker.end()
                    waiting.append(index)
                    continue
                if isinstance(result, float):
                    report(index, result)
                    continue
                if isinstance(result, Exception):
                    raise result
                worker.index = None
                yield index, result
    finally:
        for worker in crew:
            worker.process.kill()
        for worker in crew:
            worker.end()


def _start(job: Job, crew: list[_Worker], start_keeper: StartKeeper) -> _Worker:
    """A new worker in the crew. Raises ``MachineError`` if none can be started."""
    for _ in range(ATTEMPTS):
        # The fork server may be killed just when it is needed. Python starts another one, once it has ended.
        with suppress(EOFError, ConnectionError):
            crew.append(_new_worker(job, {worker.number for worker in crew}, start_keeper))
            return crew[-1]
        sleep(TO_END)
    raise MachineError(f"No worker started in {ATTEMPTS} attempts. Is something killing this program's processes?")


def _new_worker(job: Job, taken: set[int], start_keeper: StartKeeper) -> _Worker:
    """A worker with a number that is not taken, and its keeper."""
    context = fork_server.context()
    ours, theirs = context.Pipe()
    number = next(number for number in range(len(taken) + 1) if number not in taken)
    keeper, folder = None, Path(tempfile.mkdtemp(prefix="run-")).resolve()
    if job.handed:
        sandbox, its_own = context.Pipe()
        # Where there is a GPU, autograd starts threads, which forks would lose.
        warm = not torch.accelerator.is_available()
        keeper = start_keeper(warm, number, folder, its_own)
        its_own.close()
        job = hand_over(job, sandbox)
    process = context.Process(target=_work, args=(job, theirs, number))  # type: ignore[attr-defined]
    process.start()
    theirs.close()
    if keeper:
        # The keeper must see that the connection is closed as soon as the worker has ended.
        sandbox.close()
    return _Worker(process, keeper, folder, ours, number)


def hand_over(job: Job, sandbox: Connection) -> Job:
    """The job with a sandbox, whose keeper at the other end gets what every run gets."""
    assert job.handed
    # By value. As an argument, or by `send`, its tensors would lie in memory that this process shares.
    sandbox.send_bytes(pickle.dumps(job.handed.copied("cpu")))
    return job.within(Sandbox(sandbox))


def _send(worker: _Worker, index: int) -> None:
    """Give a worker an index. If it is dead already, waiting for its answer will show that."""
    try:
        worker.pipe.send(index)
    except (BrokenPipeError, ConnectionResetError):
        return


def _reason(worker: _Worker) -> str:
    """How a worker ended."""
    code = worker.process.exitcode
    if code == OUT_OF_MEMORY:
        return "out of memory"
    if code == KEEPER_LOST:
        return "the process that isolates the submission was killed; the system does this when memory runs out"
    if code is not None and code < 0:
        name = signal.Signals(-code).name
        return f"killed by {name}{LIKELY_CAUSES.get(name, '')}"
    return f"it ended with exit code {code}"


def _end_with_parent() -> None:
    """End this process as soon as the one that started it has ended, in whatever way."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    wait([parent.sentinel])
    os._exit(1)


def _work(job: Job, pipe: Connection, number: int) -> None:
    """A worker's life: prepare, then make the rows that the pipe asks for until its other end is closed."""
    # The parent handles Ctrl-C.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    # Output of submissions would garble the progress bar. The serial backend shows it.
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)
    os.dup2(silence, 2)
    torch.set_num_threads(job.threads)
    make: Callable[[int], Row] | None = None

    def made(index: int) -> Row:
        nonlocal make
        if not make:
            use_gpu(job.device, number)
            make = row_maker(job, pipe.send)
        return make(index)

    while True:
        try:
            index = pipe.recv()
        except (EOFError, ConnectionResetError):
            return
        try:
            pipe.send(row_or_error(partial(made, index)))
        except (BrokenPipeError, ConnectionResetError):
            return
