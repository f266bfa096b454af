"""No two methods do the same thing: equally seeded, they leave different weights, on pictures and on text."""

import copy
from itertools import combinations
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from scoring.untrusted.submission import read
from starter_kit import tasks
from starter_kit.examples import ExampleLoader
from starter_kit.training import seed_everything, train

SUBMISSIONS = sorted((Path(__file__).parents[2] / "submissions").glob("[!_]*.py"))
SIZES = {"retain": 130, "forget": 20, "validation": 40}
ALIKE = 1e-4
"""Two methods are alike if their weights are closer than this share of the way that one of them went."""

FEWEST = {"digits": 35, "authors": 25}
"""At least this many methods must have run on a task; all others refuse it, or learn their own kind of model."""


@pytest.mark.parametrize("name", FEWEST)
def test_no_two_methods_leave_the_same_weights(name):
    task = tasks.load(name)
    sets = [
        task.sets[which].with_columns(column[:size] for column in task.sets[which].columns)
        for which, size in SIZES.items()
    ]
    seed_everything(0)
    original = task.network()
    train(original, task.train, task.recipe)
    left = {"the original": values(original)}
    for path in SUBMISSIONS:
        submission = read(path)
        if submission.learns or path.stem == "identity":
            continue
        seed_everything(1)
        try:
            net = submission.execute()["unlearning"](copy.deepcopy(original).train(), *map(ExampleLoader, sets))
        except NotImplementedError:
            continue
        left[path.stem] = values(net)
    assert len(left) > FEWEST[name]
    assert alike(left) == []


def test_methods_that_do_the_same_are_found():
    """A copy in all but the last bits, and one that does nothing; but not steps that differ by a thousandth."""
    start = torch.arange(100.0)
    step = torch.linspace(-1, 1, 100)
    left = {"the original": start, "nothing": start.clone(), "one": start + step, "copy": start + step * (1 + 1e-6)}
    assert alike(left | {"other": start + step * 1.001}) == [("the original", "nothing"), ("one", "copy")]


def values(net: nn.Module) -> Tensor:
    """All weights of a network as one vector."""
    return torch.cat([weight.detach().float().flatten() for weight in net.parameters()])


def alike(left: dict[str, Tensor]) -> list[tuple[str, str]]:
    """The pairs of methods whose weights are hardly apart, relative to how far they are from the original."""
    start = left["the original"]
    return [
        (one, other)
        for one, other in combinations(left, 2)
        if (left[one] - left[other]).norm() <= ALIKE * max((left[one] - start).norm(), (left[other] - start).norm())
    ]
