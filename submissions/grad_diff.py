"""Ascend on the forget set and descend on the retain set at once.

The difference of the two gradients keeps the model useful while it unlearns; the ascent alone destroys it within a few
steps. The loss of the forget set has no bound, so its weight must be small or the steps few.

Source: Liu et al., Continual Learning and Private Unlearning, CoLLAs 2022; Maini et al., TOFU, COLM 2024, where both
weights are 1.
Cost: STEPS steps on a batch of each set, about two passes over the retain set of a small task.
"""

from collections.abc import Iterator

import torch
from torch import nn
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader

FORGET_WEIGHT = 0.1
RETAIN_WEIGHT = 1.0
LEARNING_RATE = 3e-3
STEPS = 14

RANGES = {"FORGET_WEIGHT": (0.01, 2.0), "LEARNING_RATE": (1e-4, 3e-2), "STEPS": (2, 40)}


def unlearning(net: nn.Module, retain: DataLoader, forget: DataLoader, val: DataLoader) -> nn.Module:
    """Take steps on the difference of both losses."""
    # Batch norm, where there is any, keeps its statistics: it cannot train on one example.
    net.eval()
    optimizer = torch.optim.AdamW(net.parameters(), lr=LEARNING_RATE, weight_decay=0.0)
    for _, known, gone in zip(range(STEPS), endless(retain), endless(forget), strict=False):
        optimizer.zero_grad()
        keep, lose = (cross_entropy(net(inputs), targets) for inputs, targets in (known, gone))
        (RETAIN_WEIGHT * keep - FORGET_WEIGHT * lose).backward()
        optimizer.step()
    return net


def endless(loader: DataLoader) -> Iterator:
    """Batch after batch, pass after pass."""
    if not len(loader):
        raise NotImplementedError("This method needs examples, and this task only describes what is to be forgotten.")
    while True:
        yield from loader
