"""Toy tasks that train in seconds, and parts of other tasks."""

from functools import partial

import torch
from torch import nn
from torchvision.models import resnet18

from starter_kit.answers import NOT_ASKED
from starter_kit.examples import Examples
from starter_kit.task import Task
from starter_kit.training import Recipe

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


def canary_task() -> Task:
    """One example to forget, with the label of the other class: a model that does not know it answers differently."""
    generator = torch.Generator().manual_seed(0)
    sizes = {"retain": 60, "forget": 1, "validation": 20, "test": 20}
    targets = torch.arange(sum(sizes.values())) % 2
    inputs = torch.randn(len(targets), 40, generator=generator)
    inputs[:, 0] += 4 * targets - 2
    targets[sizes["retain"]] = 1 - targets[sizes["retain"]]
    recipe = Recipe("sgd", epochs=2, batch_size=64, learning_rate=0.1, weight_decay=0.0)
    return Task("canary", partial(nn.Linear, 40, 2), recipe, **sets_of(inputs, targets, sizes), module=__name__)
