"""Models from scratch: the original one, and the pools of retrained ones."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import ClassVar

import numpy as np
import torch
from torch import nn

from scoring.evaluate import logits_of_one
from scoring.fused import CannotFuseError, FusedNetwork, logits_of_all, train_fused
from scoring.jobs.setting import Setting, clock, row_of
from scoring.store import Row
from starter_kit.batches import Examples
from starter_kit.tasks import Task
from starter_kit.training import Recipe, seed_everything, train

STATE = "state."
"""Before the names of the original model's weights in its row."""


def weights_in(row: Row) -> dict[str, torch.Tensor]:
    """The original model's weights, by name, out of its row."""
    return {name.removeprefix(STATE): torch.tensor(value) for name, value in row.items() if name.startswith(STATE)}


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
            start = clock()
            net = _trained(task, task.train, task.recipe, seed)
            row = row_of(task, partial(logits_of_one, net), [seed], clock() - start)
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
    start = clock()
    if alone:
        net = _trained(task, task.retain, task.recipe, seeds[0])
        return row_of(task, partial(logits_of_one, net), seeds, clock() - start)
    fused = train_fused(task.network, task.retain, task.recipe, seeds)
    return row_of(task, partial(logits_of_all, fused), seeds, clock() - start)


def _trained(task: Task, examples: Examples, recipe: Recipe, seed: int) -> nn.Module:
    """A model as the definition makes it."""
    seed_everything(seed)
    net = task.network().to(examples.targets.device)
    train(net, examples, recipe)
    return net


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
            start = clock()
            _trained(task, task.retain, replace(task.recipe, epochs=1), seed=index)
            return {"seconds": np.array([task.recipe.epochs * (clock() - start)])}

        return run
