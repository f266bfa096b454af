"""Learners make models. The original and the retrained pool belong to one, and so does the ceiling."""

from collections.abc import Callable, Sequence
from typing import Protocol

from torch import Tensor, nn

from starter_kit.examples import Examples
from starter_kit.task import Task
from starter_kit.training import Report, silent

Answer = Callable[[Tensor], Tensor]
"""What K models answer: [B, ...] inputs to [B, K, C] logits, or [B, K, C, L] for sequences."""


class Learner(Protocol):
    """A learning algorithm. Model i of a pool depends on the learner, the task, the examples and seed i alone."""

    @property
    def name(self) -> str:
        """A readable name, part of file names."""

    @property
    def one_original(self) -> bool:
        """Whether all unlearned models start from one original model.

        True for a task's recipe, as in the challenge: an unlearned model must then have the task's architecture, and
        only its weights are judged. False for a submission's own learner: each unlearned model starts from an original
        learned with a seed of its own, and the module that comes out is judged as it is. Otherwise the untouched parts
        of an exact method would be the same in all unlearned models, and its pool would collapse.
        """

    @property
    def code(self) -> tuple[str, ...]:
        """The modules that define the learner."""

    def key(self) -> dict[str, str]:
        """Everything besides its code that decides its models."""

    def group_size(self, task: Task, device: str) -> int:
        """How many models form one unit of work on a device. Nothing else decides it: it is part of a row's key."""

    def why_one_at_a_time(self, task: Task) -> str | None:
        """Why the models of a unit cannot be learned together, or None if they can."""

    def learn(self, task: Task, examples: Examples, seed: int, report: Report = silent) -> nn.Module:
        """One model, learned from the examples. They are on the device to use."""

    def learn_together(
        self, task: Task, examples: Examples, seeds: Sequence[int], report: Report = silent, record: bool = True
    ) -> Answer:
        """Models with these seeds, learned at once: what they answer in evaluation mode.

        Args:
            record: whether a GPU's training steps may be recorded; they come out the same.

        Raises:
            CannotRecordError: they could not be, and this process should end.
        """
