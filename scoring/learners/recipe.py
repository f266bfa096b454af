"""The task's own learner: its network trained by its recipe, many models at once where that is possible."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor, nn

from scoring.learners.fused import CannotFuseError, FusedNetwork, StackedNetwork, fuse, train_fused
from starter_kit.examples import Examples
from starter_kit.task import Task
from starter_kit.training import Report, seed_everything, silent, train

ON_A_GPU = 32
"""Models trained at once. GPUs are unmeasured."""

ON_A_CPU, FEWEST, CACHE = 16, 2, 32 * 2**20
"""The most models trained at once, the fewest, and the bytes of activations that should not be exceeded in between.

On two cores with 1 MB of second-level cache each, 16 networks for digits (1.2 MB each) were faster than 8, and two
ResNet-18 (37 MB each) faster than four.
"""


@dataclass(frozen=True)
class RecipeLearner:
    """Trains the task's network by the task's recipe. A model depends on the task, the examples and its seed alone."""

    def group_size(self, task: Task, device: str) -> int:
        """How many models form one unit of work: those that fit well into the device's caches, a power of two.

        One, if they cannot be trained together anyway. Nothing else decides it: it is part of a row's key.
        """
        if self.why_one_at_a_time(task):
            return 1
        match torch.device(device).type:
            case "cuda":
                return ON_A_GPU
            case "cpu":
                fitting = CACHE // _bytes_of_activations(task)
                return max(FEWEST, min(ON_A_CPU, 2 ** (fitting.bit_length() - 1) if fitting else 0))
        return 1

    def why_one_at_a_time(self, task: Task) -> str | None:
        """The part of the network that cannot be trained for many models at once, if there is one."""
        return _why_one_at_a_time(task)

    def learn(self, task: Task, examples: Examples, seed: int, report: Report = silent) -> nn.Module:
        """One model, by the definition of training. The examples are on the device to use.

        The network as it is, if the task says that it comes trained.
        """
        seed_everything(seed)
        net = task.network().to(examples.targets.device)
        if not task.why_no_retrained:
            train(net, examples, task.recipe, report)
        return net

    def learn_together(
        self, task: Task, examples: Examples, seeds: Sequence[int], report: Report = silent, record: bool = True
    ) -> FusedNetwork | StackedNetwork:
        """Models with these seeds, trained as one fused network.

        Args:
            record: whether a GPU's training steps may be recorded; they come out the same.

        Raises:
            CannotRecordError: they could not be, and this process should end.
        """
        return train_fused(task.network, examples, task.recipe, seeds, report, record)


# To make two large networks takes seconds, and each job asks again.
@lru_cache(maxsize=1)
def _why_one_at_a_time(task: Task) -> str | None:
    if task.same_start:
        # A downloaded model, of which two would fill the memory.
        return "it starts from given weights"
    try:
        fuse([task.network() for _ in range(2)], task.retain.inputs[:2].cpu())
    except CannotFuseError as reason:
        return str(reason)
    return None


@torch.no_grad()
def _bytes_of_activations(task: Task) -> int:
    """What the layers of one network put out for a batch, in bytes."""
    net, found = task.network().eval(), 0

    def count(_module: nn.Module, _inputs: tuple, output: object) -> None:
        nonlocal found
        if isinstance(output, Tensor):
            found += output.nbytes

    for module in net.modules():
        if not any(module.children()):
            module.register_forward_hook(count)
    net(task.retain.inputs[:1].cpu())
    return max(1, found * task.recipe.batch_size)
