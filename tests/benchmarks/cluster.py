"""What a cluster costs: the overhead of a row, models per hour, and how many workers one driver keeps busy.

The machines are processes of this one. In the simulation, jobs sleep and GPUs do not exist, so only the driver works.
"""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from scoring.jobs.job import Job, OwnCode, Row
from scoring.jobs.retrained import RetrainedJob
from scoring.jobs.setting import Setting
from scoring.running import backends
from scoring.running.backends import Options, Run
from starter_kit import tasks
from starter_kit.training import Report, silent

ROW = 8 << 10
"""Bytes of a row: about one of `finetune` on digits."""

ROWS, SLEEP, ROWS_PER_SLOT = 400, 0.5, 10
SLOTS = (4, 8, 16, 32, 64)
"""A worker takes a quarter of a gigabyte, which is what limits these."""

GPUS, PER_GPU = 8, 4
"""GPUs of a machine that does not exist, and workers on each."""


@dataclass(frozen=True)
class Sleep(OwnCode):
    """A job that does nothing for a while."""

    seconds: float
    device: str = "cpu"
    size: int = 1
    shares_gpu: bool = False
    code: tuple[str, ...] = ()

    def key(self) -> dict[str, str]:
        """Nothing decides its rows."""
        return {}

    def prepare(self, report: Report = silent) -> Callable[[int], Row]:
        """The function that sleeps."""

        def run(index: int) -> Row:
            time.sleep(self.seconds)
            return {"row": np.zeros(ROW, np.uint8), "process": np.array(os.getpid())}

        return run


@contextmanager
def cluster(machines: int, **resources: float) -> Iterator[str]:
    """The address of a cluster with so many machines."""
    import ray
    from ray.cluster_utils import Cluster

    made: Any = Cluster()
    made.add_node(num_cpus=0, include_dashboard=False, object_store_memory=100 << 20)
    for _ in range(machines):
        made.add_node(object_store_memory=100 << 20, **resources)
    try:
        yield made.address
    finally:
        ray.shutdown()
        made.shutdown()


def measure() -> dict[str, Any]:
    """Milliseconds per row, models per hour by slots, and the simulation."""
    figures: dict[str, Any] = {"overhead_ms_processes": _overhead(backends.load("processes").run)}
    with cluster(1, num_cpus=4) as address:
        backend = backends.load("ray", Options(address=address))
        figures["overhead_ms_ray"] = _overhead(backend.run)
        figures["most_rows_per_second"] = _rate(backend.run, Sleep(0.0), rows=10 * ROWS, slots=4)
        job = RetrainedJob(Setting(tasks.load("digits"), "cpu", 0))
        for slots in (1, 2, 4):
            per_second = _rate(backend.run, job, rows=4 * slots, slots=slots)
            figures[f"models_per_hour_{slots}_slots"] = 3600 * per_second * job.size
    figures["simulated"] = {str(slots): _simulated(slots) for slots in SLOTS}
    return figures


def _overhead(run: Run) -> float:
    """Milliseconds per row that takes no time, by one worker; the median of those after the first."""
    arrived = [time.perf_counter() for _ in run(Sleep(0.0), range(ROWS), 1)]
    return float(1000 * np.median(np.diff(arrived)))


def _rate(run: Run, job: Job, rows: int, slots: int) -> float:
    """Rows per second, from when each worker has made its first."""
    arrived = [time.perf_counter() for _ in run(job, range(rows), slots)]
    return (rows - slots) / (arrived[-1] - arrived[slots - 1])


def _simulated(slots: int) -> dict[str, float]:
    """How much of the slots' time is used, and how much of its own the driver needs, at half a second per row."""
    machines = -(-slots // (GPUS * PER_GPU))
    gpus = slots // PER_GPU // machines
    with cluster(machines, num_cpus=1, num_gpus=gpus) as address:
        backend = backends.load("ray", Options(address=address, share=1 / PER_GPU))
        rows = backend.run(Sleep(SLEEP, "mps"), range(1_000_000), slots)
        ready: set[int] = set()
        while len(ready) < slots:
            # Until all are there: on few cores, starting so many processes takes minutes.
            ready.add(int(next(rows)[1]["process"]))
        made = ROWS_PER_SLOT * slots
        began, busy = time.perf_counter(), time.process_time()
        for _ in range(made):
            next(rows)
        seconds, busy = time.perf_counter() - began, time.process_time() - busy
        rows.close()  # type: ignore[attr-defined]
        return {
            "share_of_slots_used": made * SLEEP / slots / seconds,
            "share_of_driver_used": busy / seconds,
            "driver_ms_per_row": 1000 * busy / made,
        }
