"""What jobs share: the task, the learner, the device, the seeds, a clock, and how a job describes itself."""

import time
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import torch

from scoring.jobs.code import modules_behind
from scoring.jobs.job import OwnCode
from scoring.learners.recipe import RecipeLearner
from starter_kit.task import Task

if TYPE_CHECKING:
    # Models of the recipe do not depend on how submissions are read and run.
    from scoring.untrusted.submission import Submission

ROLES = {"original": 0, "retrained": 1, "unlearned": 3, "certificate": 4}
"""The pools that draw random numbers. Each has seeds of its own, so that no two models share one."""


@dataclass(frozen=True, eq=False)
class Setting:
    """What all pools of a score have in common.

    When it travels to a worker process, the examples go into shared memory, which all workers read.

    Attributes:
        task: what is learned, and what is to be forgotten.
        device: where models are made.
        seed: the run's.
        own: the submission that brings its own learning; None if models are made by the task's recipe.
        recipe: makes models by the task's recipe.
    """

    task: Task
    device: str
    seed: int
    own: "Submission | None" = None
    recipe: RecipeLearner = field(default_factory=RecipeLearner)

    @property
    def learner(self) -> str:
        """The name of what makes the models."""
        return self.own.name if self.own else "recipe"

    def load(self) -> Task:
        """The task, with its examples on the device."""
        return self.task.to(torch.device(self.device))

    def seed_of(self, role: str, index: int) -> int:
        """The seed of model ``index`` of the pool ``role``, in [0, 2**64)."""
        spawned = np.random.SeedSequence(self.seed, spawn_key=(ROLES[role], index))
        return int(spawned.generate_state(1, np.uint64)[0])

    @cached_property
    def key(self) -> dict[str, str]:
        """Everything besides code that decides a model of this setting. Hashing the examples may take seconds."""
        return {
            "task": self.task.digest(),
            "network": str(self.task.network()),
            "seed": str(self.seed),
            "learner": self.own.sha256 if self.own else "recipe",
        }

    def code_with(self, *modules: str) -> tuple[str, ...]:
        """The code of these modules, of the task with its network, and of the learner."""
        network = self.task.network
        of_network = getattr(network, "func", network).__module__
        return modules_behind(*modules, self.task.module, of_network)


@dataclass(frozen=True, eq=False)
class SettingJob(OwnCode):
    """The part that most jobs have in common: rows of one model each, decided by a setting.

    A job adds ``prepare`` and, if more than the setting decides its rows, extends ``key``.
    """

    setting: Setting
    shares_gpu: ClassVar[bool] = False

    @property
    def device(self) -> str:  # type: ignore[override]
        """The setting's."""
        return self.setting.device

    @property
    def size(self) -> int:
        """One model per row."""
        return 1

    @property
    def code(self) -> tuple[str, ...]:
        """The job's own module, the task with its network, the learner, and all of the kit that they import."""
        return self.setting.code_with(type(self).__module__)

    def key(self) -> dict[str, str]:
        """The setting alone."""
        return self.setting.key


def clock(device: torch.device | str) -> float:
    """Seconds of a clock, after the device has finished what it was given."""
    match torch.device(device).type:
        case "cuda":
            torch.cuda.synchronize(device)
        case "mps":
            torch.mps.synchronize()
    return time.perf_counter()
