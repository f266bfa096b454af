"""Clip the original's weights, take clipped and noised steps on the retain set, then fine-tune freely.

Certified, but relative to its own reference: the same noisy steps from any other start whose norm is at most NORM,
including one that never saw the forget set. Whatever the original was, the two results are close in distribution.
Clipping bounds the distance between two starts; each step shrinks it by a factor of 1 - RATE DECAY and adds at most
2 RATE CLIP; the noise of all steps hides what is left. The free fine-tuning afterwards sees only the retain set, so it
cannot weaken the guarantee. The guarantee does not depend on how many examples are forgotten. It does not refer to
models retrained with the task's recipe, a different algorithm, so the measured epsilon may be larger.

This much noise drowns the original: the norm of the weights is at most NORM, and the noise on 25,000 weights is about a
hundred times larger. What remains is close to training from random noise, which is why it can be certified.

Source: Koloskova et al., Certified Unlearning for Neural Networks, ICML 2025. In place of their Renyi divergence, the
steps are accounted as one Gaussian mechanism (Bok, Su and Altschuler, Shifted Interpolation for DP, ICML 2024).
Cost: as long as retraining.
"""

import math
from collections.abc import Sequence

import torch
from torch import nn
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader

NORM = 0.05
CLIP = 0.1
RATE = 1e-3
DECAY = 50.0
NOISE = 0.012
NOISY_EPOCHS = 2

EPOCHS = 8
LEARNING_RATE = 0.1
DELTA = 1e-5

RANGES = {"NOISE": (0.001, 0.1), "NOISY_EPOCHS": (1, 4), "EPOCHS": (1, 10), "LEARNING_RATE": (1e-2, 0.5)}


def unlearning(net: nn.Module, retain: DataLoader, forget: DataLoader, val: DataLoader) -> nn.Module:
    """Noise first, then the usual training."""
    weights = list(net.parameters())
    with torch.no_grad():
        clip_to(weights, NORM)
    steps = NOISY_EPOCHS * len(retain)
    for _ in range(NOISY_EPOCHS):
        for inputs, targets in retain:
            net.zero_grad()
            cross_entropy(net(inputs), targets).backward()
            with torch.no_grad():
                gradients = [torch.zeros_like(one) if one.grad is None else one.grad for one in weights]
                clip_to(gradients, CLIP)
                for weight, gradient in zip(weights, gradients, strict=True):
                    weight.mul_(1 - RATE * DECAY).sub_(RATE * gradient).add_(NOISE * torch.randn_like(weight))
    for module in net.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            # The guarantee is about the weights after the last step. These statistics remember the steps before.
            module.reset_running_stats()
    optimizer = torch.optim.SGD(weights, lr=LEARNING_RATE, momentum=0.9, weight_decay=5e-4)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, EPOCHS)
    for _ in range(EPOCHS):
        for inputs, targets in retain:
            optimizer.zero_grad()
            cross_entropy(net(inputs), targets).backward()
            optimizer.step()
        schedule.step()
    net.guarantee = {  # type: ignore[assignment]
        "noise_multiplier": 1 / sensitivity(steps),
        "sample_rate": 1,
        "steps": 1,
        "delta": DELTA,
        "reference": "the same noisy steps from any other start",
    }
    return net


def sensitivity(steps: int) -> float:
    """How far apart two starts end, in units of the noise: the shifts that close the gap, spread over all steps.

    After the last step the distance must be zero. Each step also shrinks the effect of earlier shifts, so later shifts
    are worth more. The sum of squares is smallest if each shift is proportional to its worth.
    """
    shrink = 1 - RATE * DECAY
    worth = [shrink**later for later in range(steps)]
    distance = shrink**steps * 2 * NORM + 2 * RATE * CLIP * sum(worth)
    return distance / math.sqrt(sum(one**2 for one in worth)) / NOISE


def clip_to(tensors: Sequence[torch.Tensor], most: float) -> None:
    """Scale tensors in place so that their common norm is at most ``most``."""
    norm = torch.sqrt(sum((one.square().sum() for one in tensors), torch.zeros(())))
    for one in tensors:
        one.mul_(torch.clamp(most / (norm + 1e-12), max=1.0))
