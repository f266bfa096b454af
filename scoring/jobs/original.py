"""The original model: learned from all training examples, before anything is forgotten."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from scoring.jobs.evaluation import answer_of_one, row_of
from scoring.jobs.job import Row
from scoring.jobs.setting import SettingJob, clock
from starter_kit.training import Report, silent

LARGE = 4
"""Networks of which fewer are trained at once are large."""

STATE = "state."
"""The prefix of the weights in a row."""


@dataclass(frozen=True, eq=False)
class Original:
    """The original model as it is stored.

    Attributes:
        weights: its state, by name, on the CPU.
        answers: its answers, by the names of `Outputs`, for one model.
    """

    weights: dict[str, Tensor]
    answers: Row

    @classmethod
    def of_row(cls, row: Row) -> "Original":
        """The model in a row of ``OriginalJob``."""
        weights = {name.removeprefix(STATE): torch.tensor(row[name]) for name in row if name.startswith(STATE)}
        return cls(weights, {name: value for name, value in row.items() if not name.startswith(STATE)})

    @property
    def sha256(self) -> str:
        """SHA-256 of the weights, in hexadecimal."""
        digest = hashlib.sha256()
        for name, value in sorted(self.weights.items()):
            digest.update(STATE.encode() + name.encode() + value.numpy().tobytes())
        return digest.hexdigest()


class OriginalJob(SettingJob):
    """Trains the original model by the task's recipe; its row holds its weights and answers.

    Everything waits for the only original of a task, and no other worker has anything to do meanwhile.
    """

    @cached_property
    def threads(self) -> int:  # type: ignore[override]
        """Two for the only original of a large network: they take 0.6 of the time, and most machines have two cores.

        Threads of a small network wait for each other most of the time, which takes long on a busy machine.
        """
        setting = self.setting
        return 2 if setting.recipe.group_size(setting.task, "cpu") < LARGE else 1

    def prepare(self, report: Report = silent) -> Callable[[int], Row]:
        """The function that trains the original and evaluates it."""
        setting = self.setting
        task = setting.load()
        train = task.train

        def run(index: int) -> Row:
            seed = setting.seed_of("original", index)
            start = clock(setting.device)
            net = setting.recipe.learn(task, train, seed, report)
            seconds = clock(setting.device) - start
            state = {STATE + name: value.cpu().numpy().copy() for name, value in net.state_dict().items()}
            return row_of(task, answer_of_one(net), [seed], seconds, net) | state

        return run
