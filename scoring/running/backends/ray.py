"""Workers on the machines of a Ray cluster: one that is running, or one that starts and ends with this process.

A worker is an actor that makes one row at a time. This process hands out indices, and it alone writes the store. Each
machine gets as many actors as its cores or its shares of GPUs allow, also one that joins later. A machine that ends
loses the rows that it was making; others make them. Machines of another kind are refused: a pool does not mix kinds.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from time import monotonic
from typing import Any

from rich.console import Console

from scoring.jobs.checkpoint import CheckpointJob
from scoring.jobs.code import digest_of_code
from scoring.jobs.job import AnotherWayError, Job, Row
from scoring.running.backends import ATTEMPTS, Backend, Options, Reports, nobody
from scoring.running.cluster import TO_ANSWER, Cluster, Machine, place_on
from scoring.running.slot import Slot
from scoring.running.travelling import packed
from starter_kit.errors import InputError, MachineError

LOOK_EVERY = 1.0
"""Seconds between checks of which machines are alive and how far the rows are."""

TO_END = 5.0
"""Seconds that workers have to tidy up when all rows are made."""


def backend(options: Options) -> Backend:
    """Rows come from a cluster.

    Raises:
        InputError: Ray is not installed, or there is no cluster at the address.
    """
    cluster = Cluster(options)
    return Backend(partial(run, cluster), isolates=True, machines=cluster)


@dataclass
class _Worker:
    """An actor, and what it is doing."""

    actor: Any
    machine: Machine
    number: int
    ready: bool = False
    index: int | None = None
    asked: bool = False


def run(
    cluster: Cluster, job: Job, indices: Sequence[int], workers: int, report: Reports = nobody
) -> Iterator[tuple[int, Row]]:
    """Run the indices on at most ``workers`` workers.

    Raises:
        InputError: the job reads files of this machine.
        MachineError: an index lost its worker three times, or no machine may be used.
        Exception: whatever the job raised at an index.
    """
    if isinstance(job, CheckpointJob):
        raise InputError("Checkpoints are read from this machine only. Score them with BACKEND=processes.")
    if not indices:
        return
    crew = _Crew(cluster, job, workers)
    waiting, lost = list(reversed(indices)), Counter[int]()
    try:
        while waiting or crew.busy:
            crew.grow(len(waiting) + len(crew.busy))
            for worker in crew.idle[: len(waiting)]:
                crew.give(worker, waiting.pop())
            for worker, answer in crew.answers(report):
                index = worker.index
                if index is None:
                    continue
                worker.index = None
                if isinstance(answer, AnotherWayError):
                    crew.change(replace(job, **answer.changes))  # type: ignore[type-var]
                    crew.dismiss(worker)
                    waiting.append(index)
                elif isinstance(answer, _Lost):
                    lost[index] += 1
                    if lost[index] == ATTEMPTS:
                        raise MachineError(
                            f"Run {index} lost its worker {ATTEMPTS} times, most recently on {worker.machine.name}: "
                            f"{answer.reason} Fewer workers (WORKERS=, or a larger SHARE=) need less memory."
                        )
                    waiting.append(index)
                elif isinstance(answer, Exception):
                    raise answer
                else:
                    yield index, answer
    finally:
        crew.end()


@dataclass(frozen=True)
class _Lost:
    """In the place of a row, when a worker ended."""

    reason: str


class _Crew:
    """The workers of a run."""

    def __init__(self, cluster: Cluster, job: Job, most: int) -> None:
        self.cluster, self.ray, self.most = cluster, cluster.ray, most
        self.share = cluster.share(job.device)
        self.kind, self.code = cluster.kind(job.device), digest_of_code(job.code)
        self.workers: list[_Worker] = []
        self.refused: set[str] = set()
        self.looked, self.began = 0.0, monotonic()
        self.pending: dict[Any, tuple[_Worker, str]] = {}
        self.change(job)

    def change(self, job: Job) -> None:
        """From now on, new workers get this job. It travels to each machine once."""
        self.job, self.sent = job, self.ray.put(packed(job))

    @property
    def busy(self) -> list[_Worker]:
        """Those that make a row."""
        return [worker for worker in self.workers if worker.index is not None]

    @property
    def idle(self) -> list[_Worker]:
        """Those that could."""
        return [worker for worker in self.workers if worker.ready and worker.index is None]

    def grow(self, wanted: int) -> None:
        """Start workers on machines with free slots, as long as more are wanted."""
        if len(self.workers) >= min(wanted, self.most) or (self.workers and monotonic() - self.looked < LOOK_EVERY):
            return
        self.looked = monotonic()
        there = Counter(worker.machine.id for worker in self.workers)
        fitting = [machine for machine in self.cluster.machines if machine.slots(self.job.threads, self.share)]
        usable = [machine for machine in fitting if machine.id not in self.refused]
        if fitting and not usable:
            raise MachineError("No machine in the Ray cluster can be used for this pool; see the messages above.")
        for machine in usable:
            for _ in range(machine.slots(self.job.threads, self.share) - there[machine.id]):
                if len(self.workers) < min(wanted, self.most):
                    self._start(machine)
        if not usable and monotonic() - self.began > TO_ANSWER:
            needed = f"{self.share:g} of a GPU" if self.share else f"{self.job.threads} cores"
            raise MachineError(f"No machine in the Ray cluster has {needed} available.")

    def _start(self, machine: Machine) -> None:
        taken = {worker.number for worker in self.workers if worker.machine.id == machine.id}
        number = next(number for number in range(len(taken) + 1) if number not in taken)
        actor_class = self.ray.remote(
            num_cpus=0 if self.share else self.job.threads,
            num_gpus=self.share or 0,
            concurrency_groups={"share": 1},
            max_restarts=0,
        )(Slot)
        actor = actor_class.options(**place_on(self.ray, machine)).remote(
            self.sent, number, bool(self.cluster.options.sandbox)
        )
        worker = _Worker(actor, machine, number)
        self.workers.append(worker)
        self.pending[actor.refusal.remote(self.kind, self.code)] = (worker, "refusal")

    def give(self, worker: _Worker, index: int) -> None:
        """Have a worker make a row."""
        worker.index = index
        self.pending[worker.actor.make.remote(index)] = (worker, "row")

    def answers(self, report: Reports) -> Iterator[tuple[_Worker, Row | Exception | _Lost]]:
        """Wait for rows, at most a while."""
        ready, _ = self.ray.wait(list(self.pending), timeout=LOOK_EVERY)
        for answer in ready:
            worker, what = self.pending.pop(answer)
            try:
                found = self.ray.get(answer)
            except self.ray.exceptions.RayError as error:
                if worker in self.workers:
                    self.dismiss(worker)
                    yield worker, _Lost(_reason(error))
                continue
            if what == "refusal":
                self._admit(worker, found)
            elif what == "share":
                worker.asked = False
                if worker.index == found[0]:
                    report(*found)
            else:
                yield worker, found if isinstance(found, Exception) else _copied(found)
        if not ready:
            self._ask()

    def _ask(self) -> None:
        """Ask how far the rows are. Where rows come fast, nobody needs to know."""
        for worker in self.busy:
            if not worker.asked:
                worker.asked = True
                asked = worker.actor.share.options(concurrency_group="share").remote()
                self.pending[asked] = (worker, "share")

    def _admit(self, worker: _Worker, refusal: str) -> None:
        if not refusal:
            worker.ready = True
            return
        if worker.machine.id not in self.refused:
            messages.print(f"{worker.machine.name} is not used: {refusal}.", soft_wrap=True)
        self.refused.add(worker.machine.id)
        self.dismiss(worker)

    def dismiss(self, worker: _Worker) -> None:
        """End a worker."""
        self.workers.remove(worker)
        self.ray.kill(worker.actor, no_restart=True)

    def end(self) -> None:
        """End all of them. Those that are idle tidy up."""
        ending = [worker.actor.end.remote() for worker in self.idle]
        if ending:
            self.ray.wait(ending, num_returns=len(ending), timeout=TO_END)
        for worker in list(self.workers):
            self.dismiss(worker)


messages = Console(stderr=True, markup=False, highlight=False)
"""Where refused machines are named."""


def _copied(row: Row) -> Row:
    """The row in memory of this process. What Ray gives lies in shared memory, which would fill."""
    return {name: values.copy() for name, values in row.items()}


def _reason(error: Exception) -> str:
    """Why a worker ended: the start of Ray's error message."""
    text = " ".join(str(error).split())
    return f"{text[:300].rstrip('.')}."
