"""The pools of a score: which rows there have to be, which are there, and filling in the rest."""

import hashlib
import inspect
import sys
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path

import numpy as np
import torch

from scoring import confidence, evaluate, jobs
from scoring.backends import Backend, Job
from scoring.errors import KitError
from scoring.jobs import STATE, Setting, Training, Unlearning
from scoring.outputs import Outputs
from scoring.progress import Progress
from scoring.store import Row, open_rows
from scoring.submission import Submission
from starter_kit import batches, training
from starter_kit.tasks import Task


@dataclass(frozen=True, eq=False)
class Pools:
    """Makes pools of one setting and keeps them in a store.

    Attributes:
        setting: task, device and seed.
        task: the task of that name.
        store: the folder of all finished rows.
        backend: how jobs are run.
        workers: how many at a time.
        progress: what the person sees of it.
    """

    setting: Setting
    task: Task
    store: Path
    backend: Backend
    workers: int
    progress: Progress

    def original(self) -> Row:
        """The original model's weights and its own answers."""
        return self._fill("original", 1, Training(self.setting, "original"), {})[0]

    def retrained(self, role: str, models: int) -> Outputs:
        """Models that never saw the forget set; ``role`` is "retrained", or "ceiling" for a second such pool."""
        return Outputs.of_rows(self._fill(role, models, Training(self.setting, role), {}))

    def unlearned(self, submission: Submission, original: Row, models: int) -> Outputs:
        """What the submission makes of the original model, run by run."""
        key = {"submission": submission.sha256, "original": _digest_of_state(original)}
        return Outputs.of_rows(self._fill("unlearned", models, Unlearning(self.setting, submission, original), key))

    def _fill(self, role: str, models: int, job: Job, key: dict[str, str]) -> list[Row]:
        """The rows 0 to ``models`` - 1 of a pool, those that are missing made now."""
        rows = open_rows(self.store, f"{role}-{self.task.name}", self._common_key(role) | key)
        name = getattr(getattr(job, "submission", None), "name", role)
        with rows.lock(lambda: self.progress.say(f"{name}: another run is at this pool; waiting for it.")):
            done, damaged = rows.read(range(models))
            for index in damaged:
                self.progress.say(f"{name}: row {index} in {rows.folder} is damaged; it is computed again.")
            missing = [index for index in range(models) if index not in done]
            with self.progress.pool(name, models, len(done)) as advance:
                try:
                    for index, row in self.backend(job, missing, self.workers):
                        rows.write(index, row)
                        done[index] = row
                        advance()
                except KitError as error:
                    error.add_note(f"{len(done)} of {models} rows of this pool are safe in {rows.folder}.")
                    raise
        return [done[index] for index in range(models)]

    def _common_key(self, role: str) -> dict[str, str]:
        """Everything beside a submission that can change a bit of a row."""
        network = self.task.network()
        return {
            "role": role,
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
    modules = batches, training, confidence, evaluate, jobs, sys.modules[network_module]
    return hashlib.sha256("".join(map(inspect.getsource, modules)).encode()).hexdigest()


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
