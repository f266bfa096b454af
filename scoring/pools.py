"""The pools of a score: which rows there have to be, which are there, and filling in the rest."""

import hashlib
import inspect
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path

import numpy as np
import torch

from scoring.backends import Backend, Job
from scoring.checkpoints import Checkpoints
from scoring.errors import KitError
from scoring.jobs.checkpoints import Reading
from scoring.jobs.setting import Setting
from scoring.jobs.training import STATE, Original, Retraining, Stopwatch, why_not_fused
from scoring.jobs.unlearning import Unlearning
from scoring.outputs import Outputs
from scoring.progress import Progress
from scoring.store import Row, open_rows
from scoring.submission import Submission
from scoring.workers import cores, gpus, run_on_shared_gpus
from starter_kit.tasks import Task

GROUP_SIZES = {"cpu": 8, "cuda": 32}
"""Models trained at once. On a CPU more of them outgrow its caches, as `make bench` shows; the GPU's is unmeasured."""

STOPWATCH_RUNS = 8

MAKES_ROWS = (
    "scoring.checkpoints",
    "scoring.confidence",
    "scoring.evaluate",
    "scoring.fused",
    "scoring.jobs",
    "scoring.weights",
    "starter_kit.augmentation",
    "starter_kit.batches",
    "starter_kit.training",
)
"""The modules, and packages with all that is in them, of which any change may change a bit of a row."""


@dataclass(frozen=True, eq=False)
class Pools:
    """Makes pools of one setting and keeps them in a store.

    Attributes:
        setting: task, device and seed.
        store: the folder of all finished rows.
        backend: how jobs are run.
        workers: how many at a time; None for as many as the device can use.
        progress: what the person sees of it.
    """

    setting: Setting
    store: Path
    backend: Backend
    workers: int | None
    progress: Progress

    @property
    def task(self) -> Task:
        """The task of all pools."""
        return self.setting.task

    def original(self) -> Row:
        """The original model's weights and its own answers."""
        return self._fill("original", 1, Original(self.setting), {})[0]

    def retrained(self, role: str, models: int) -> Outputs:
        """Models that never saw the forget set; ``role`` is "retrained", or "ceiling" for a second such pool."""
        size = GROUP_SIZES.get(torch.device(self.setting.device).type, 1)
        if reason := why_not_fused(self.task):
            self.progress.say(f"{role}: trained one at a time, since many at once are not possible: {reason}.")
        rows = self._fill(role, models, Retraining(self.setting, role, size), {"group": str(size)})
        return Outputs.of_rows(rows, models)

    def unlearned(self, submission: Submission, original: Row, models: int) -> Outputs:
        """What the submission makes of the original model, run by run."""
        key = {"submission": submission.sha256, "original": _digest_of_state(original)}
        rows = self._fill(submission.name, models, Unlearning(self.setting, submission, original), key)
        return Outputs.of_rows(rows, models)

    def of_checkpoints(self, checkpoints: Checkpoints, original: Row, models: int) -> Outputs:
        """What models answer that were made elsewhere."""
        key = {"checkpoints": checkpoints.sha256, "original": _digest_of_state(original)}
        rows = self._fill(checkpoints.name, models, Reading(self.setting, checkpoints, original), key)
        return Outputs.of_rows(rows, models)

    def seconds_alone(self) -> float:
        """The median time of retraining one model at a time, as many at a time as submissions run."""
        rows = self._fill(
            "stopwatch", STOPWATCH_RUNS, Stopwatch(self.setting), {"workers": str(self.workers or cores())}
        )
        return float(np.median([row["seconds"] for row in rows]))

    def _fill(self, name: str, models: int, job: Job, key: dict[str, str]) -> list[Row]:
        """The rows that hold the models 0 to ``models`` - 1 of a pool, those that are missing made now."""
        units = range(-(-models // job.size))
        rows = open_rows(self.store, f"{name}-{self.task.name}", self._common_key(job) | key)
        with rows.lock(lambda: self.progress.say(f"{name}: another run is at this pool; waiting for it.")):
            done, damaged = rows.read(units)
            for unit in damaged:
                self.progress.say(f"{name}: row {unit} in {rows.folder} is damaged; it is computed again.")
            missing = [unit for unit in units if unit not in done]

            def there() -> int:
                return sum(min(job.size, models - unit * job.size) for unit in done)

            with self.progress.pool(name, models, there()) as show:
                try:
                    for unit, row in self._run(job, missing):
                        rows.write(unit, row)
                        done[unit] = row
                        show(there())
                except KitError as error:
                    if done:
                        error.add_note(
                            f"{there()} of {models} models of this pool are finished and kept in {rows.folder}."
                        )
                    raise
        return [done[unit] for unit in units]

    def _run(self, job: Job, units: list[int]) -> Iterator[tuple[int, Row]]:
        """The units' rows, by as many workers as were asked for or can be used."""
        on_gpus = gpus(self.setting.device)
        if self.workers or not on_gpus:
            return self.backend(job, units, self.workers or cores())
        if isinstance(job, Unlearning):
            return run_on_shared_gpus(self.backend, job, units, on_gpus, most=max(cores(), on_gpus))
        # A group of models fills a GPU by itself.
        return self.backend(job, units, on_gpus)

    def _common_key(self, job: Job) -> dict[str, str]:
        """Everything beside a submission that can change a bit of a row."""
        network = self.task.network()
        return {
            "job": type(job).__name__,
            "role": getattr(job, "role", ""),
            "task": self.task.digest(),
            "network": str(network),
            "code": _digest_of_code(type(network).__module__),
            "seed": str(self.setting.seed),
            "device": _device_name(self.setting.device),
            "torch": torch.__version__,
            "torchvision": metadata.version("torchvision"),
            "numpy": np.__version__,
        }


@cache
def _digest_of_code(network_module: str) -> str:
    """SHA-256 of the source that makes a row, as it was when this program first asked."""
    names = sorted(name for name in sys.modules if name.startswith((*MAKES_ROWS, network_module)))
    return hashlib.sha256("".join(inspect.getsource(sys.modules[name]) for name in names).encode()).hexdigest()


def _digest_of_state(row: Row) -> str:
    """SHA-256 of a model's weights."""
    digest = hashlib.sha256()
    for name in sorted(name for name in row if name.startswith(STATE)):
        digest.update(name.encode() + row[name].tobytes())
    return digest.hexdigest()


def _device_name(device: str) -> str:
    """The kind of device, since two kinds of GPU do not give the same bits."""
    kind = torch.device(device)
    return torch.cuda.get_device_name(kind) if kind.type == "cuda" else kind.type
