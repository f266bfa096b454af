"""Unlearned models: what a submission makes of an original one."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from scoring.jobs.evaluation import answer_of_one, row_of
from scoring.jobs.job import Row
from scoring.jobs.original import Original
from scoring.jobs.setting import SettingJob, clock
from scoring.untrusted.submission import Submission
from starter_kit.errors import SubmissionError
from starter_kit.examples import ExampleLoader
from starter_kit.task import Task
from starter_kit.training import seed_everything


@dataclass(frozen=True, eq=False)
class UnlearnedJob(SettingJob):
    """A submission's runs, each on an original model of its own.

    If all start from one original, each run gets a copy of it, and a fresh network with the weights that the run left
    is judged, as on Kaggle, where only a checkpoint is handed in. Otherwise each run starts from the original with its
    own index, and the module that the run left is judged as it is.

    Attributes:
        submission: the file to run.
        original: the original that all runs start from; None if each has its own.
    """

    submission: Submission
    original: Original | None
    shares_gpu: ClassVar[bool] = True

    def key(self) -> dict[str, str]:
        """The setting, the submission's source and the original's weights."""
        original = self.original.sha256 if self.original else "one per model"
        return self.setting.key | {"submission": self.submission.sha256, "original": original}

    def prepare(self) -> Callable[[int], Row]:
        """The function that runs the submission with the seed of ``index`` and evaluates the model."""
        setting = self.setting
        task = setting.load()
        handed = task.retain, task.forget, task.validation
        shared = _Shared(task, self.original) if self.original else None

        def run(index: int) -> Row:
            _reset_torch()
            seed = setting.seed_of("unlearned", index)
            unlearning = self.submission.execute()
            net = self._original(task, index).train()
            loaders = [ExampleLoader(examples) for examples in handed]
            seed_everything(seed)
            start = clock(setting.device)
            try:
                returned = unlearning(net, *loaders)
            except (MemoryError, torch.OutOfMemoryError):
                raise
            except (Exception, SystemExit) as error:
                raise SubmissionError(
                    f"{self.submission.path} failed in run {index}:\n{self.submission.explain(error)}"
                ) from error
            seconds = clock(setting.device) - start
            _reset_torch()
            try:
                judged = self._judged(task, net if returned is None else returned)
                row = row_of(task, answer_of_one(judged), [seed], seconds)
                if shared:
                    shared.check()
            except ValueError as error:
                raise SubmissionError(f"{self.submission.path}, run {index}: {error}.") from error
            return row

        return run

    def _original(self, task: Task, index: int) -> nn.Module:
        """The model that run ``index`` starts from."""
        if self.original:
            return _network_with(task, self.original.weights)
        return self.setting.learner.learn(task, task.train, self.setting.seed_of("original", index))

    def _judged(self, task: Task, model: object) -> nn.Module:
        """The model to judge, made from what a run left. Raises ``ValueError`` if it is not a model that can be."""
        if not isinstance(model, nn.Module):
            raise ValueError(
                f"unlearning returned {type(model).__name__}; expected the model, or None if `net` itself was changed"
            )
        return _network_with(task, _weights_of(model, self.original.weights)) if self.original else model


class _Shared:
    """What all runs in a process share, and none of them may change."""

    def __init__(self, task: Task, original: Original) -> None:
        self.task, self.original = task, original.weights
        self.versions, self.logits = self._versions(), self._logits()

    def _versions(self) -> list[int]:
        """How often each tensor of the examples was written to."""
        return [column._version for examples in self.task.sets.values() for column in examples.columns]

    @torch.inference_mode()
    def _logits(self) -> Tensor:
        """What the original answers to the forget set: any change of the network's code would show."""
        return _network_with(self.task, self.original).eval()(self.task.forget.inputs)

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
                "such as the network's class or a function of torch. Change only `net`"
            )


def _network_with(task: Task, state: dict[str, Tensor]) -> nn.Module:
    """A new network of the task with copies of these weights, on the device of the examples."""
    net = task.network()
    net.load_state_dict(state)
    return net.to(task.forget.targets.device)


def _weights_of(model: nn.Module, original: dict[str, Tensor]) -> dict[str, Tensor]:
    """The weights that a run left, if they are finite and of the original's architecture."""
    state = model.state_dict()
    shapes = {name: tuple(value.shape) for name, value in state.items()}
    expected = {name: tuple(value.shape) for name, value in original.items()}
    if shapes != expected:
        differing = sorted(name for name in shapes | expected if shapes.get(name) != expected.get(name))
        name = differing[0]
        raise ValueError(
            f"the model is no longer of the original's architecture: {len(differing)} of its {len(expected)} "
            f"tensors differ. The first is {name}: expected {expected.get(name, 'no such tensor')}, found "
            f"{shapes.get(name, 'none')}. Make masks and parametrizations permanent before returning"
        )
    bad = [name for name, value in state.items() if value.is_complex() or not torch.isfinite(value).all()]
    if bad:
        raise ValueError(f"{len(bad)} of the model's tensors hold NaN or infinite weights, first {bad[0]}")
    return state


def _reset_torch() -> None:
    """Undo changes of torch's global settings, which would reach the next run."""
    torch.set_num_threads(1)
    torch.set_grad_enabled(True)
    torch.set_default_dtype(torch.float32)
