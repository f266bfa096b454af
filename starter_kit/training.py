"""How one model of a task is trained. This is the definition; anything faster has to give the same."""

import random
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from starter_kit.batches import Examples

MOMENTUM = 0.9


@dataclass(frozen=True)
class Recipe:
    """Minimising the cross-entropy with a learning rate that falls along a cosine, epoch by epoch.

    Attributes:
        optimizer: "sgd", with momentum 0.9, or "adam".
        epochs: passes over the training set.
        batch_size: examples a step; the last batch of a pass may be smaller.
        learning_rate: in the first epoch; it falls to almost zero in the last.
        weight_decay: the L2 penalty's factor.
    """

    optimizer: Literal["sgd", "adam"]
    epochs: int
    batch_size: int
    learning_rate: float
    weight_decay: float


def seed_everything(seed: int) -> None:
    """Seed torch (all devices), NumPy and Python with a number in [0, 2**64)."""
    torch.manual_seed(seed)
    np.random.seed(seed % 2**32)
    random.seed(seed)


def optimizer_of(recipe: Recipe, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
    """The recipe's optimizer. Both kinds treat each weight alone, so that many models can share one."""
    parameters = list(parameters)
    if recipe.optimizer == "sgd":
        return torch.optim.SGD(parameters, recipe.learning_rate, MOMENTUM, weight_decay=recipe.weight_decay)
    # Capturable: on a GPU its step count lives there, so that a whole training step can be recorded.
    on_gpu = parameters[0].is_cuda
    return torch.optim.Adam(parameters, recipe.learning_rate, weight_decay=recipe.weight_decay, capturable=on_gpu)


def schedule_of(recipe: Recipe, optimizer: torch.optim.Optimizer) -> torch.optim.lr_scheduler.LRScheduler:
    """The recipe's learning rate, to be stepped after each epoch."""
    return torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, recipe.epochs)


def train(net: nn.Module, examples: Examples, recipe: Recipe) -> None:
    """Train ``net`` in place; the order of the examples comes from torch's global generator on the CPU.

    Args:
        net: a freshly initialised network, on the device of the examples.
        examples: the training set: everything for the original model, the retain set for a retrained one.
        recipe: how.
    """
    optimizer = optimizer_of(recipe, net.parameters())
    schedule = schedule_of(recipe, optimizer)
    net.train()
    for _ in range(recipe.epochs):
        for index in torch.randperm(len(examples)).split(recipe.batch_size):
            inputs, targets = examples.take(index)
            optimizer.zero_grad()
            cross_entropy(net(inputs), targets).backward()
            optimizer.step()
        schedule.step()
