"""What all jobs share: the task, the device, the seeds, a clock, and what a row is made of."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from scoring.evaluate import answers
from scoring.store import Row
from starter_kit.batches import Examples
from starter_kit.tasks import Task

ROLES = ("original", "retrained", "ceiling", "unlearned")
"""What a pool is for. Each role has seeds of its own, so that no two pools share a random number."""


@dataclass(frozen=True, eq=False)
class Setting:
    """What all pools of a score have in common: the task, the device and the run's seed.

    When it travels to a worker process, the examples go into shared memory, where all workers read them.
    """

    task: Task
    device: str
    seed: int

    def load(self) -> Task:
        """The task, with its examples on the device."""
        return self.task.to(torch.device(self.device))

    def seed_of(self, role: str, index: int) -> int:
        """The seed of model ``index`` of the pool ``role``, in [0, 2**64)."""
        spawned = np.random.SeedSequence(self.seed, spawn_key=(ROLES.index(role), index))
        return int(spawned.generate_state(1, np.uint64)[0])


def row_of(task: Task, logits_of: Callable[[Examples], Tensor], seeds: list[int], seconds: float) -> Row:
    """The answers of models that took ``seconds`` together."""
    made = {"seconds": np.full(len(seeds), seconds / len(seeds)), "seeds": np.array(seeds, np.uint64)}
    return answers(task, logits_of) | made


def clock() -> float:
    """Seconds of a clock that waits until the device has done what it was given."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()
