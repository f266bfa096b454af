"""The competition's scale: ResNet-18 and 20,000 pictures, which are random, as their content takes no time."""

from dataclasses import replace

import torch
from torch import nn
from torchvision.models import resnet18

from starter_kit.task import Task
from starter_kit.training import Recipe
from tests.toys import sets_of

RECIPE = Recipe("adam", epochs=30, batch_size=64, learning_rate=1e-4, weight_decay=5e-3)
RETAINED, OTHERS = 20_000, 500
STEPS = RECIPE.epochs * -(-RETAINED // RECIPE.batch_size)
"""Of one model."""

POOL = 512


def network() -> nn.Module:
    """The competition's."""
    return resnet18(num_classes=10)


def task(retained: int = RETAINED, others: int = OTHERS, epochs: int = RECIPE.epochs) -> Task:
    """Such a task, or a smaller one, on the CPU.

    Args:
        retained: examples to retain.
        others: examples in each of the other three sets.
        epochs: passes over the training set.
    """
    sizes = {"retain": retained, "forget": others, "validation": others, "test": others}
    count = sum(sizes.values())
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(count, 3, 32, 32, generator=generator)
    targets = torch.randint(10, (count,), generator=generator)
    sets = sets_of(inputs, targets, sizes)
    return Task("random", network, replace(RECIPE, epochs=epochs), **sets, module=__name__)
