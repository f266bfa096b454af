"""How one model of a task is trained. This is the definition; anything faster must give the same model."""

import math
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import torch
from torch import Generator, Tensor, nn

from starter_kit.answers import loss
from starter_kit.augmentation import CropAndFlip
from starter_kit.examples import Examples, split_into_batches

MOMENTUM = 0.9

Report = Callable[[float], None]
"""Told, now and then, which share of some work is done, from 0 to 1."""


def silent(share: float) -> None:
    """Tell nobody."""


@dataclass(frozen=True)
class Recipe:
    """Minimise the loss of `answers.py` with a learning rate that follows a cosine.

    Attributes:
        optimizer: "sgd", with momentum 0.9, "adam", or "adamw" with betas 0.9 and 0.98, as transformers are trained.
        epochs: passes over the training set.
        batch_size: examples per step. The last batch may be smaller, or one larger.
        learning_rate: the highest one; it falls to almost zero.
        weight_decay: the factor of the L2 penalty; for "adamw", the share by which weights shrink per unit of the rate.
        warm_up: the share of all steps in which the rate rises to ``learning_rate``. Then it follows a cosine step by
            step. 0 for a rate that follows a cosine epoch by epoch.
        class_weights: the weight of each class in the loss; None for equal weights.
        augmentation: random views of the inputs; None for the inputs as they are.
    """

    optimizer: Literal["sgd", "adam", "adamw"]
    epochs: int
    batch_size: int
    learning_rate: float
    weight_decay: float
    class_weights: tuple[float, ...] | None = None
    augmentation: CropAndFlip | None = None
    # Not shown, so that what the digests of older tasks are made of stays the same.
    warm_up: float = field(default=0.0, repr=False)

    def epoch(self, examples: int, generator: Generator | None = None) -> Tensor:
        """The rows of a pass: [examples, 1] positions in random order or, with augmentation, [examples, 4].

        Drawn from ``generator``, or from torch's global generator on the CPU.
        """
        order = torch.randperm(examples, generator=generator).unsqueeze(1)
        if self.augmentation is None:
            return order
        return torch.cat([order, self.augmentation.draw(examples, generator)], dim=1)

    def batch(self, examples: Examples, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Inputs and targets of [B, ...] rows of an epoch."""
        inputs, targets = examples.take(rows[:, 0])
        if self.augmentation is not None:
            inputs = self.augmentation.apply(inputs, rows[:, 1:].to(inputs.device))
        return inputs, targets

    def weights_for(self, net: nn.Module) -> Tensor | None:
        """The class weights in the precision and on the device of a network, or None."""
        return None if self.class_weights is None else next(net.parameters()).new_tensor(self.class_weights)


def seed_everything(seed: int) -> None:
    """Seed torch (all devices), NumPy and Python with a number in [0, 2**64)."""
    torch.manual_seed(seed)
    np.random.seed(seed % 2**32)
    random.seed(seed)


def optimizer_of(recipe: Recipe, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
    """The recipe's optimizer. All kinds treat each weight by itself, so many models can share one."""
    parameters = list(parameters)
    device = parameters[0].device
    # One pass over the weights instead of four to twelve.
    one_pass = device.type in ("cpu", "cuda")
    # A recorded step reads the rate, and the step count, from the GPU's memory: so one record serves all epochs.
    on_gpu = device.type == "cuda"
    rate = torch.tensor(recipe.learning_rate, device=device) if on_gpu else recipe.learning_rate
    if recipe.optimizer == "sgd":
        return torch.optim.SGD(parameters, rate, MOMENTUM, weight_decay=recipe.weight_decay, fused=one_pass)
    decay = recipe.weight_decay
    if recipe.optimizer == "adamw":
        betas = (0.9, 0.98)
        return torch.optim.AdamW(parameters, rate, betas, weight_decay=decay, capturable=on_gpu, fused=one_pass)
    return torch.optim.Adam(parameters, rate, weight_decay=decay, capturable=on_gpu, fused=one_pass)


def schedule_of(
    recipe: Recipe, optimizer: torch.optim.Optimizer, examples: int
) -> torch.optim.lr_scheduler.LRScheduler:
    """The recipe's learning-rate schedule, to be stepped after each step if it warms up, else after each epoch."""
    if not recipe.warm_up:
        return torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, recipe.epochs)
    steps = recipe.epochs * len(split_into_batches(torch.arange(examples), recipe.batch_size))
    rising = max(1, round(recipe.warm_up * steps))

    def share(step: int) -> float:
        if step < rising:
            return (step + 1) / rising
        return (1 + math.cos(math.pi * (step - rising) / max(1, steps - rising))) / 2

    return torch.optim.lr_scheduler.LambdaLR(optimizer, share)


def train(net: nn.Module, examples: Examples, recipe: Recipe, report: Report = silent) -> None:
    """Train ``net`` in place. All randomness comes from torch's global generator on the CPU.

    Args:
        net: a freshly initialised network, on the device of the examples.
        examples: the training set: all of it for the original model, the retain set for a retrained one.
        recipe: how to train.
        report: told the share that is done after each epoch.
    """
    optimizer = optimizer_of(recipe, net.parameters())
    schedule = schedule_of(recipe, optimizer, len(examples))
    weights = recipe.weights_for(net)
    net.train()
    for epoch in range(recipe.epochs):
        for rows in split_into_batches(recipe.epoch(len(examples)), recipe.batch_size):
            inputs, targets = recipe.batch(examples, rows)
            optimizer.zero_grad()
            loss(net(inputs), targets, weights).backward()
            optimizer.step()
            if recipe.warm_up:
                schedule.step()
        if not recipe.warm_up:
            schedule.step()
        report((epoch + 1) / recipe.epochs)
