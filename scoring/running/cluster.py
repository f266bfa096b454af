"""A Ray cluster: the connection to it, its machines, and their kinds."""

import logging
import os
import socket
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from scoring.jobs.code import PACKAGES
from scoring.running.backends import Options
from scoring.running.host import host_kind
from scoring.running.machines import check_sandbox, cores
from scoring.untrusted.confinement import KIT
from starter_kit.errors import InputError, MachineError, quoted
from starter_kit.extras import how_to_install

TO_ANSWER = 60.0
"""Seconds that machines have to say of which kind they are."""

TO_CONNECT = 5.0
"""Seconds that a cluster has to accept a connection."""

STORE = 1 << 30
"""Bytes of shared memory on this machine, for examples and rows. Ray's own choice is a third of all memory."""

SETTINGS = {
    # Do not send usage statistics.
    "RAY_USAGE_STATS_ENABLED": "0",
    # The loss of a machine prints twenty lines, which would tear the progress bar.
    "RAY_BACKEND_LOG_LEVEL": "fatal",
    # Ray prints its warnings to this program's output regardless of its settings. This drops those that match.
    "RAY_DEDUP_LOGS_SKIP_REGEX": ".",
    "RAY_DEDUP_LOGS_ALLOW_REGEX": "(?!)",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
}
"""What Ray reads when it is imported, and when its processes start."""

FOR_WORKERS = {"OMP_NUM_THREADS": "1", "MALLOC_TRIM_THRESHOLD_": str(2**30), "MALLOC_MMAP_THRESHOLD_": str(2**30)}
"""The environment of workers; see `fork_server.py`."""


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
    """A Ray cluster, connected to when it is first needed.

    Attributes:
        options: its address, and the share of a GPU that a worker gets.
        kinds: of its machines, by device, as far as they were asked.
    """

    options: Options
    kinds: dict[str, dict[str, str]] = field(default_factory=dict)

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
                    # Not one that somebody else has started here.
                    address="local",
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
        name = name or ("cuda" if with_gpus and not self.options.sandbox else "cpu")
        check_sandbox(self.options.sandbox, name)
        return name

    def kind(self, device: str) -> dict[str, str]:
        """The kind of most of its machines, when they were first asked."""
        if device not in self.kinds:
            self.kinds[device] = self._asked(device)
        return self.kinds[device]

    def _asked(self, device: str) -> dict[str, str]:
        """Ask every machine, and count."""
        ray = self.ray
        ask = ray.remote(num_cpus=0, num_gpus=self.share(device) or 0, max_calls=1)(host_kind)
        asked = [ask.options(**place_on(ray, machine)).remote(device) for machine in self.machines]
        answered, _ = ray.wait(asked, num_returns=len(asked), timeout=TO_ANSWER)
        kinds: Counter[tuple[tuple[str, str], ...]] = Counter()
        for answer in answered:
            try:
                kinds[tuple(ray.get(answer).items())] += 1
            except ray.exceptions.RayError:
                continue
        if not kinds:
            raise MachineError(f"No machine of the Ray cluster answered within {TO_ANSWER:g} seconds.")
        return dict(kinds.most_common(1)[0][0])

    def slots(self, device: str) -> int:
        """As many as all machines have."""
        share = self.share(device)
        return max(1, sum(machine.slots(1, share) for machine in self.machines))

    def gpus(self, device: str) -> int:
        """0, because SHARE= fixes the number of workers per GPU."""
        return 0


def place_on(ray: Any, machine: Machine) -> dict[str, Any]:
    """Options that place a task or an actor on a machine."""
    strategy = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(machine.id, soft=False)
    return {"scheduling_strategy": strategy}


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
