"""How one row of a pool is made: a model is trained, or unlearned by a submission, and answers."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from scoring.errors import SubmissionError
from scoring.evaluate import answers, logits_of_one
from scoring.fused import CannotFuseError, FusedNetwork, logits_of_all, train_fused
from scoring.store import Row
from scoring.submission import Submission
from starter_kit.batches import ExampleLoader, Examples
from starter_kit.tasks import Task
from starter_kit.training import Recipe, seed_everything, train

ROLES = ("original", "retrained", "ceiling", "unlearned")
"""What a pool is for. Each role has seeds of its own, so that no two pools share a random number."""

STATE = "state."
"""Before the names of the original model's weights in its row."""


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


@dataclass(frozen=True, eq=False)
class Original:
    """The one model that is trained on all training examples; its row has its weights too."""

    setting: Setting
    size: ClassVar[int] = 1

    def prepare(self) -> Callable[[int], Row]:
        """The function that trains it and asks it for its answers."""
        task = self.setting.load()

        def run(index: int) -> Row:
            seed = self.setting.seed_of("original", index)
            start = _clock()
            net = _trained(task, task.train, task.recipe, seed)
            row = _row(task, partial(logits_of_one, net), [seed], _clock() - start)
            return row | {STATE + name: value.cpu().numpy() for name, value in net.state_dict().items()}

        return run


@dataclass(frozen=True, eq=False)
class Retraining:
    """Models from scratch on the retain set, in groups of ``size`` that are trained at once where that is possible.

    Groups are fixed by index, so that a model depends neither on how many are asked for nor on who trains it.
    """

    setting: Setting
    role: str
    size: int

    def prepare(self) -> Callable[[int], Row]:
        """The function that trains group ``index`` and asks its models for their answers."""
        task = self.setting.load()
        alone = why_not_fused(task) is not None
        at_once = 1 if alone else self.size

        def run(index: int) -> Row:
            nonlocal at_once
            seeds = [self.setting.seed_of(self.role, index * self.size + place) for place in range(self.size)]
            rows: list[Row] = []
            done = 0
            while done < self.size:
                try:
                    rows.append(retrained(task, seeds[done : done + at_once], alone))
                    done += at_once
                except torch.OutOfMemoryError:
                    if at_once == 1:
                        raise
                    # Later groups will not fit either.
                    at_once //= 2
                    torch.cuda.empty_cache()
            return {name: np.concatenate([row[name] for row in rows]) for name in rows[0]}

        return run


def why_not_fused(task: Task) -> str | None:
    """What stands in the way of training the task's models at once, if anything does."""
    try:
        FusedNetwork([task.network() for _ in range(2)], task.retain.inputs[:2].cpu())
    except CannotFuseError as reason:
        return str(reason)
    return None


def retrained(task: Task, seeds: list[int], alone: bool) -> Row:
    """The row of models trained from these seeds: at once, or, if ``alone``, the only one by the definition."""
    start = _clock()
    if alone:
        net = _trained(task, task.retain, task.recipe, seeds[0])
        return _row(task, partial(logits_of_one, net), seeds, _clock() - start)
    fused = train_fused(task.network, task.retain, task.recipe, seeds)
    return _row(task, partial(logits_of_all, fused), seeds, _clock() - start)


def _trained(task: Task, examples: Examples, recipe: Recipe, seed: int) -> nn.Module:
    """A model as the definition makes it."""
    seed_everything(seed)
    net = task.network().to(examples.targets.device)
    train(net, examples, recipe)
    return net


def _row(task: Task, logits_of: Callable[[Examples], Tensor], seeds: list[int], seconds: float) -> Row:
    """The answers of models that took ``seconds`` together."""
    made = {"seconds": np.full(len(seeds), seconds / len(seeds)), "seeds": np.array(seeds, np.uint64)}
    return answers(task, logits_of) | made


@dataclass(frozen=True, eq=False)
class Stopwatch:
    """How long retraining takes one model at a time, as a submission runs: what its time is held against.

    One epoch is timed and multiplied; by the definition of training, not by the fused way.
    """

    setting: Setting
    size: ClassVar[int] = 1

    def prepare(self) -> Callable[[int], Row]:
        """The function that takes the time."""
        task = self.setting.load()
        _trained(task, task.retain, replace(task.recipe, epochs=1), seed=0)

        def run(index: int) -> Row:
            start = _clock()
            _trained(task, task.retain, replace(task.recipe, epochs=1), seed=index)
            return {"seconds": np.array([task.recipe.epochs * (_clock() - start)])}

        return run


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
        original = {
            name.removeprefix(STATE): torch.tensor(value)
            for name, value in self.original.items()
            if name.startswith(STATE)
        }
        shared = _Shared(task, original)

        def run(index: int) -> Row:
            _reset_torch()
            seed = self.setting.seed_of("unlearned", index)
            unlearning = self.submission.execute()
            net = _network_with(task, original).train()
            loaders = [ExampleLoader(examples) for examples in handed]
            seed_everything(seed)
            start = _clock()
            try:
                returned = unlearning(net, *loaders)
            except (MemoryError, torch.OutOfMemoryError):
                raise
            except (Exception, SystemExit) as error:
                raise SubmissionError(
                    f"{self.submission.path} failed in run {index}:\n{self.submission.explain(error)}"
                ) from error
            seconds = _clock() - start
            _reset_torch()
            try:
                judged = _network_with(task, _weights_of(net if returned is None else returned, original))
                row = _row(task, partial(logits_of_one, judged), [seed], seconds)
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


def _clock() -> float:
    """Seconds of a clock that waits until the device has done what it was given."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()
