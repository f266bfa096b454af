"""The task's own learner: its network trained by its recipe, many models at once where that is possible."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import nn

from scoring.learners import Answer
from scoring.learners.fused import CannotFuseError, FusedNetwork, answer_of_all, train_fused
from starter_kit.examples import Examples
from starter_kit.task import Task
from starter_kit.training import seed_everything, train

GROUP_SIZES = {"cpu": 8, "cuda": 32}
"""Models trained at once. On a CPU more of them outgrow its caches, as `make bench` shows; GPUs are unmeasured."""


@dataclass(frozen=True)
class RecipeLearner:
    """Trains the task's network by the task's recipe, as the challenge did."""

    name: ClassVar[str] = "recipe"
    one_original: ClassVar[bool] = True
    code: ClassVar[tuple[str, ...]] = (__name__,)

    def key(self) -> dict[str, str]:
        """Nothing: the recipe and the network are part of the task."""
        return {}

    def group_size(self, device: str) -> int:
        """The models that fit well into the device's caches."""
        return GROUP_SIZES.get(torch.device(device).type, 1)

    def why_one_at_a_time(self, task: Task) -> str | None:
        """The part of the network that cannot be trained for many models at once, if there is one."""
        try:
            FusedNetwork([task.network() for _ in range(2)], task.retain.inputs[:2].cpu())
        except CannotFuseError as reason:
            return str(reason)
        return None

    def learn(self, task: Task, examples: Examples, seed: int) -> nn.Module:
        """One model, by the definition of training."""
        seed_everything(seed)
        net = task.network().to(examples.targets.device)
        train(net, examples, task.recipe)
        return net

    def learn_together(self, task: Task, examples: Examples, seeds: Sequence[int]) -> Answer:
        """Models with these seeds, trained as one fused network."""
        return answer_of_all(train_fused(task.network, examples, task.recipe, seeds))
