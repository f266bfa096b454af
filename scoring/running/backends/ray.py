"""Workers on the machines of a Ray cluster: one that is running, or one that starts and ends with this process.

A worker is an actor that makes one row at a time. This process hands out indices, and it alone writes the store. Each
machine gets as many actors as its cores or its shares of GPUs allow, also one that joins later. A machine that ends
loses the rows that it was making; others make them. Machines of another kind are refused: a pool does not mix kinds.
"""

import logging
import os
import socket
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property, partial
from time import monotonic
from typing import Any

from rich.console import Console

from scoring.jobs.checkpoint import CheckpointJob
from scoring.jobs.code import PACKAGES, digest_of_code
from scoring.jobs.job import AnotherWayError, Job, Row
from scoring.running.backends import ATTEMPTS, Backend, Options, Reports, nobody
from scoring.running.host import host_kind
from scoring.running.machines import cores
from scoring.running.slot import Slot
from scoring.running.travelling import packed
from scoring.untrusted.confinement import KIT
from starter_kit.errors import InputError, MachineError, quoted
from starter_kit.extras import how_to_install

LOOK_EVERY = 1.0
"""Seconds between looks at which machines there are, and how far rows are."""

TO_ANSWER = 60.0
"""Seconds that machines have to say of which kind they are."""

TO_CONNECT = 5.0
"""Seconds that a cluster has to accept a connection."""

TO_END = 5.0
"""Seconds that workers have to tidy up when all rows are made."""

STORE = 1 << 30
"""Bytes of shared memory on this machine, for examples and rows. Ray's own choice is a third of all memory."""

SETTINGS = {
    # Nobody is told what is computed here.
    "RAY_USAGE_STATS_ENABLED": "0",
    # The loss of a machine prints twenty lines, which would tear the progress bar.
    "RAY_BACKEND_LOG_LEVEL": "fatal",
    # Its warnings go to the output of this program, whatever it is told; those that match are left out.
    "RAY_DEDUP_LOGS_SKIP_REGEX": ".",
    "RAY_DEDUP_LOGS_ALLOW_REGEX": "(?!)",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
}
"""What Ray reads when it is imported, and when its processes start."""

FOR_WORKERS = {"OMP_NUM_THREADS": "1", "MALLOC_TRIM_THRESHOLD_": str(2**30), "MALLOC_MMAP_THRESHOLD_": str(2**30)}
"""The environment of workers; see `fork_server.py`."""


def backend(options: Options) -> Backend:
    """Rows come from a cluster.

    Raises:
        InputError: Ray is not installed, or there is no cluster at the address.
    """
    cluster = Cluster(options)
    return Backend(partial(run, cluster), isolates=True, machines=cluster)


@dataclass(frozen=True)
class Machine:
    """A machine of the cluster, as Ray describes it."""

    id: str
    name: str
    resources: dict[str, float]

    def slots(self, job_threads: int, share: float | None) -> int:
        """How many rows it makes at a time: one per share of a GPU, or per so many cores."""
        if share is not None:
            return int(self.resources.get("GPU", 0) / share)
        return int(self.resources.get("CPU", 0) // job_threads)


@dataclass(frozen=True)
class Cluster:
    """A Ray cluster, connected to when it is first needed."""

    options: Options

    @cached_property
    def ray(self) -> Any:
        """The package, connected to the cluster."""
        for name, value in SETTINGS.items():
            os.environ.setdefault(name, value)
        try:
            import ray
        except ImportError:
            raise InputError(f"BACKEND=ray needs Ray, which is not installed. {how_to_install('ray')}") from None
        logging.getLogger("ray").setLevel(logging.ERROR)
        environment: dict[str, Any] = {"env_vars": FOR_WORKERS}
        quiet: dict[str, Any] = {"logging_level": "error", "log_to_driver": False, "configure_logging": False}
        if ray.is_initialized():
            return ray
        if not self.options.address:
            with _nothing_on_stderr():
                ray.init(
                    num_cpus=cores(),
                    include_dashboard=False,
                    object_store_memory=STORE,
                    runtime_env=environment,
                    **quiet,
                )
            return ray
        self._check_address()
        # Machines that lack the kit get it.
        environment["py_modules"] = [str(KIT / name) for name in PACKAGES]
        environment["excludes"] = ["**/__pycache__"]
        try:
            with _nothing_on_stderr():
                ray.init(address=self.options.address, runtime_env=environment, **quiet)
        except (ConnectionError, RuntimeError, ValueError) as error:
            raise InputError(f"Cannot use the Ray cluster at {quoted(self.options.address)}: {error}.") from error
        return ray

    def _check_address(self) -> None:
        """Raise ``InputError`` if nothing answers at the address: Ray would try for minutes."""
        host, _, port = self.options.address.rpartition(":")
        try:
            socket.create_connection((host, int(port)), timeout=TO_CONNECT).close()
        except (OSError, ValueError) as error:
            raise InputError(
                f"ADDRESS: there is no Ray cluster at {quoted(self.options.address)}: {error}. Start one with `ray "
                "start --head`, which prints its address, or leave out ADDRESS= to use this machine alone."
            ) from error

    @property
    def machines(self) -> list[Machine]:
        """Those that are alive, or were some seconds ago."""
        return [
            Machine(node["NodeID"], node["NodeManagerHostname"], node["Resources"])
            for node in self.ray.nodes()
            if node["Alive"]
        ]

    def share(self, device: str) -> float | None:
        """The part of a GPU that a worker gets; None on a CPU."""
        return None if device == "cpu" else self.options.share or 1.0

    def device(self, name: str) -> str:
        """A GPU if any machine has one, unless a name says otherwise."""
        if name not in ("", "cpu", "cuda"):
            raise InputError(
                f"DEVICE: expected cpu or cuda with BACKEND=ray, which chooses the GPU; found {quoted(name)}."
            )
        with_gpus = any(machine.resources.get("GPU") for machine in self.machines)
        if name == "cuda" and not with_gpus:
            raise InputError("DEVICE=cuda: no machine of the Ray cluster has a GPU.")
        return name or ("cuda" if with_gpus else "cpu")

    def kind(self, device: str) -> dict[str, str]:
        """The kind of most of its machines."""
        return dict(self._kinds(device))

    def _kinds(self, device: str) -> tuple[tuple[str, str], ...]:
        found = self.__dict__.setdefault("_found", {})
        if device not in found:
            found[device] = self._asked(device)
        return found[device]

    def _asked(self, device: str) -> tuple[tuple[str, str], ...]:
        """Ask every machine, and count."""
        ray = self.ray
        ask = ray.remote(num_cpus=0, num_gpus=self.share(device) or 0, max_calls=1)(host_kind)
        asked = [ask.options(**_on(ray, machine)).remote(device) for machine in self.machines]
        answered, _ = ray.wait(asked, num_returns=len(asked), timeout=TO_ANSWER)
        kinds: Counter[tuple[tuple[str, str], ...]] = Counter()
        for answer in answered:
            try:
                kinds[tuple(ray.get(answer).items())] += 1
            except ray.exceptions.RayError:
                continue
        if not kinds:
            raise MachineError(f"No machine of the Ray cluster answered within {TO_ANSWER:g} seconds.")
        return kinds.most_common(1)[0][0]

    def slots(self, device: str) -> int:
        """As many as all machines have."""
        share = self.share(device)
        return max(1, sum(machine.slots(1, share) for machine in self.machines))

    def gpus(self, device: str) -> int:
        """None to find out about: each worker has its share."""
        return 0


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
        raise InputError("Checkpoints lie on this machine. Score them with BACKEND=processes.")
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
                            f"Run {index} lost its worker {ATTEMPTS} times, at last on {worker.machine.name}: "
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
            raise MachineError("No machine of the Ray cluster may make rows of this pool; see above.")
        for machine in usable:
            for _ in range(machine.slots(self.job.threads, self.share) - there[machine.id]):
                if len(self.workers) < min(wanted, self.most):
                    self._start(machine)
        if not usable and monotonic() - self.began > TO_ANSWER:
            needed = f"{self.share:g} of a GPU" if self.share else f"{self.job.threads} cores"
            raise MachineError(f"No machine of the Ray cluster has {needed} to give.")

    def _start(self, machine: Machine) -> None:
        taken = {worker.number for worker in self.workers if worker.machine.id == machine.id}
        number = next(number for number in range(len(taken) + 1) if number not in taken)
        actor_class = self.ray.remote(
            num_cpus=0 if self.share else self.job.threads,
            num_gpus=self.share or 0,
            concurrency_groups={"share": 1},
            max_restarts=0,
        )(Slot)
        actor = actor_class.options(**_on(self.ray, machine)).remote(
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
            messages.print(f"{worker.machine.name} makes no rows: {refusal}.", soft_wrap=True)
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


@contextmanager
def _nothing_on_stderr() -> Iterator[None]:
    """Keep what Ray's library in C++ writes there from the terminal. What goes wrong is raised."""
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        for descriptor in (kept, nowhere):
            os.close(descriptor)


def _on(ray: Any, machine: Machine) -> dict[str, Any]:
    """Options that place a task or an actor on a machine."""
    strategy = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(machine.id, soft=False)
    return {"scheduling_strategy": strategy}


def _copied(row: Row) -> Row:
    """The row in memory of this process. What Ray gives lies in shared memory, which would fill."""
    return {name: values.copy() for name, values in row.items()}


def _reason(error: Exception) -> str:
    """Why a worker ended, as far as Ray knows: the first sentence that it says of it."""
    text = " ".join(str(error).split())
    return f"{text[:300].rstrip('.')}."
