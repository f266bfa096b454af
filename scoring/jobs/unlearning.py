"""Models that a submission makes of the original one."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import torch
from torch import Tensor, nn

from scoring.errors import SubmissionError
from scoring.evaluate import logits_of_one
from scoring.jobs.setting import Setting, clock, row_of
from scoring.jobs.training import weights_in
from scoring.store import Row
from scoring.submission import Submission
from starter_kit.batches import ExampleLoader
from starter_kit.tasks import Task
from starter_kit.training import seed_everything


@dataclass(frozen=True, eq=False)
class Unlearning:
    """A submission's runs, each on its own copy of the original model.

    What is judged is a fresh network with the weights that the submission left, as on Kaggle, where only a
    checkpoint is handed in.
    """

    setting: Setting
    submission: Submission
    original: Row
    size: ClassVar[int] = 1

    def prepare(self) -> Callable[[int], Row]:
        """The function that runs the submission with the seed of ``index`` and asks the model for its answers."""
        task = self.setting.load()
        handed = task.retain, task.forget, task.validation
        original = weights_in(self.original)
        shared = _Shared(task, original)

        def run(index: int) -> Row:
            _reset_torch()
            seed = self.setting.seed_of("unlearned", index)
            unlearning = self.submission.execute()
            net = _network_with(task, original).train()
            loaders = [ExampleLoader(examples) for examples in handed]
            seed_everything(seed)
            start = clock()
            try:
                returned = unlearning(net, *loaders)
            except (MemoryError, torch.OutOfMemoryError):
                raise
            except (Exception, SystemExit) as error:
                raise SubmissionError(
                    f"{self.submission.path} failed in run {index}:\n{self.submission.explain(error)}"
                ) from error
            seconds = clock() - start
            _reset_torch()
            try:
                judged = _network_with(task, _weights_of(net if returned is None else returned, original))
                row = row_of(task, partial(logits_of_one, judged), [seed], seconds)
                shared.check()
            except ValueError as error:
                raise SubmissionError(f"{self.submission.path}, run {index}: {error}.") from error
            return row

        return run


class _Shared:
    """What all runs in a process share, and what none of them may change."""

    def __init__(self, task: Task, original: dict[str, Tensor]) -> None:
        self.task, self.original = task, original
        self.versions, self.logits = self._versions(), self._logits()

    def _versions(self) -> list[int]:
        """How often each tensor of the examples was written to."""
        columns = ("inputs", "targets", "image_id", "person_id")
        return [getattr(examples, name)._version for examples in self.task.sets.values() for name in columns]

    def _logits(self) -> Tensor:
        """What the original answers to the forget set: any change of the network's code would show."""
        return logits_of_one(_network_with(self.task, self.original), self.task.forget)

    def check(self) -> None:
        """Raise ``ValueError`` if a run changed something."""
        if self._versions() != self.versions:
            raise ValueError(
                "it changed the examples in place, which all runs share. Change copies: `inputs = inputs / 16`"
            )
        # Not to the bit: a run may have let cuDNN choose another, equally good algorithm.
        if not torch.allclose(self._logits(), self.logits, rtol=1e-3, atol=1e-3):
            raise ValueError(
                "the original model no longer answers as before. The run changed something that all runs share, "
                "such as a class of the network or a function of torch. Change only `net`"
            )


def _network_with(task: Task, state: dict[str, Tensor]) -> nn.Module:
    """A new network of the task on the device of its examples, with copies of these weights."""
    net = task.network()
    net.load_state_dict(state)
    return net.to(task.forget.targets.device)


def _weights_of(model: object, original: dict[str, Tensor]) -> dict[str, Tensor]:
    """The weights that a run left, if they are finite and of the original's architecture."""
    if not isinstance(model, nn.Module):
        raise ValueError(
            f"unlearning returned {type(model).__name__}; expected the model, or None if `net` itself was changed"
        )
    state = model.state_dict()
    shapes = {name: tuple(value.shape) for name, value in state.items()}
    expected = {name: tuple(value.shape) for name, value in original.items()}
    if shapes != expected:
        differing = sorted(name for name in shapes | expected if shapes.get(name) != expected.get(name))
        name = differing[0]
        raise ValueError(
            f"the model is no longer of the original's architecture: {len(differing)} of its {len(expected)} "
            f"tensors differ. The first is {name}: expected {expected.get(name, 'none of that name')}, found "
            f"{shapes.get(name, 'none')}. Masks and parametrizations have to be made permanent before it returns"
        )
    bad = [name for name, value in state.items() if value.is_complex() or not torch.isfinite(value).all()]
    if bad:
        raise ValueError(f"{len(bad)} of the model's tensors hold NaN or infinite weights, first {bad[0]}")
    return state


def _reset_torch() -> None:
    """Undo the global settings that a run may have changed and that would reach the next one."""
    torch.set_num_threads(1)
    torch.set_grad_enabled(True)
    torch.set_default_dtype(torch.float32)
