"""Toy tasks that train in seconds, a toy learner, and parts of other tasks."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import torch
from torch import nn
from torchvision.models import resnet18

from scoring.learners import Answer
from starter_kit.answers import NOT_ASKED
from starter_kit.examples import Examples
from starter_kit.task import Task
from starter_kit.training import Recipe, Report, seed_everything, silent, train

RECIPE = Recipe("adam", epochs=2, batch_size=64, learning_rate=1e-3, weight_decay=5e-3)
SIZES = {"retain": 70, "forget": 10, "validation": 10, "test": 10}


def task() -> Task:
    """A hundred pictures in the competition's shapes: ten colours under noise, one person's to be forgotten.

    Its scores mean nothing. That there is one means that the way from the notebook to a score is complete.
    """
    generator = torch.Generator().manual_seed(0)
    colours = torch.randint(0, 256, (10, 3, 1, 1), generator=generator)
    count = sum(SIZES.values())
    targets = torch.arange(count) % 10
    noise = torch.randint(-60, 61, (count, 3, 32, 32), generator=generator)
    inputs = (colours[targets] + noise).clamp(0, 255).float()
    return Task("toy", partial(resnet18, num_classes=10), RECIPE, **sets_of(inputs, targets, SIZES))


TOKENS, LENGTH, ASKED = 8, 6, 3


def sequence_task() -> Task:
    """Answers are sequences: the first half of the tokens is given, the second half asks for it in reverse."""
    sizes = {"retain": 97, "forget": 12, "validation": 20, "test": 20}
    generator = torch.Generator().manual_seed(0)
    given = torch.randint(TOKENS, (sum(sizes.values()), LENGTH - ASKED), generator=generator)
    answers = given.flip(1)
    inputs = torch.cat([given, torch.zeros_like(answers)], dim=1)
    targets = torch.cat([torch.full_like(given, NOT_ASKED), answers], dim=1)
    recipe = Recipe("adam", epochs=12, batch_size=16, learning_rate=2e-2, weight_decay=0.0)
    return Task("sequences", SequenceNet, recipe, **sets_of(inputs, targets, sizes), module=__name__)


class SequenceNet(nn.Module):
    """[B, LENGTH] token ids to [B, TOKENS, LENGTH] logits."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(TOKENS, 8)
        self.hidden = nn.Linear(8 * LENGTH, 48)
        self.out = nn.Linear(48, TOKENS * LENGTH)

    def forward(self, x):
        return self.out(torch.relu(self.hidden(self.embedding(x).flatten(1)))).unflatten(1, (TOKENS, LENGTH))


def sets_of(inputs: torch.Tensor, targets: torch.Tensor, sizes: dict[str, int]) -> dict[str, Examples]:
    """Consecutive examples as sets of these sizes; each set is one person's."""
    sets, start = {}, 0
    for person, (name, size) in enumerate(sizes.items()):
        rows = torch.arange(start, start + size)
        sets[name] = Examples(inputs[rows], targets[rows], image_id=rows, person_id=torch.full((size,), person))
        start += size
    return sets


def part(examples: Examples, start: int, stop: int) -> Examples:
    """The examples from one position to another."""
    return Examples(*(column[start:stop] for column in examples.columns))


class Twins(nn.Module):
    """Two networks and the mean of their answers: not the task's architecture."""

    def __init__(self, networks: Sequence[nn.Module]) -> None:
        super().__init__()
        self.networks = nn.ModuleList(networks)

    def forward(self, x):
        return torch.stack([network(x) for network in self.networks]).mean(dim=0)


@dataclass(frozen=True)
class TwinLearner:
    """A learner of the kind that a submission brings: it trains two networks, each on one half of the examples."""

    name: ClassVar[str] = "twins"
    one_original: ClassVar[bool] = False
    code: ClassVar[tuple[str, ...]] = (__name__,)
    constant_answers: bool = False

    def key(self) -> dict[str, str]:
        return {"constant_answers": str(self.constant_answers)}

    def group_size(self, task: Task, device: str) -> int:
        return 1

    def why_one_at_a_time(self, task: Task) -> str | None:
        return None

    def learn(self, task: Task, examples: Examples, seed: int, report: Report = silent) -> nn.Module:
        seed_everything(seed)
        halves = part(examples, 0, len(examples) // 2), part(examples, len(examples) // 2, len(examples))
        networks = [task.network() for _ in halves]
        if self.constant_answers:
            return Guessing(networks)
        for network, half in zip(networks, halves, strict=True):
            train(network, half, task.recipe)
        return Twins(networks)

    def learn_together(
        self, task: Task, examples: Examples, seeds: Sequence[int], report: Report = silent, record: bool = True
    ) -> Answer:
        raise AssertionError("groups of one are never learned together")


class Guessing(Twins):
    """Answers without looking at the data: the same guess for every input, drawn once per model."""

    def __init__(self, networks: Sequence[nn.Module]) -> None:
        super().__init__(networks)
        self.guess = nn.Parameter(torch.randn(10))

    def forward(self, x):
        return self.guess + 0 * super().forward(x)
