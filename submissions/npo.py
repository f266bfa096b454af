"""Push answers to the forget set below the original's probability, ever more gently the further they have fallen.

Negative preference optimisation is preference optimisation with only a rejected answer. Unlike the plain ascent it has
a bound: an answer that is much less probable than under the original is pushed no further.

Source: Zhang et al., Negative Preference Optimization, COLM 2024 (published beta: 0.1), plus a loss on the retain set.
Cost: STEPS steps on a batch of each set; memory for a second copy of the model.
"""

import copy
from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, logsigmoid
from torch.utils.data import DataLoader

BETA = 1.0
RETAIN_WEIGHT = 3.0
LEARNING_RATE = 5e-3
STEPS = 10

RANGES = {"BETA": (0.05, 5.0), "RETAIN_WEIGHT": (0.1, 20.0), "LEARNING_RATE": (1e-4, 3e-2), "STEPS": (2, 40)}


def unlearning(net: nn.Module, retain: DataLoader, forget: DataLoader, val: DataLoader) -> nn.Module:
    """Take steps on the preference loss of the forget set and the usual loss of the retain set."""
    # A copy: weights that are only detached would move with the model, and the method would be plain ascent.
    original = copy.deepcopy(net).eval().requires_grad_(False)
    # Batch norm, where there is any, keeps its statistics: it cannot train on one example.
    net.eval()
    optimizer = torch.optim.AdamW(net.parameters(), lr=LEARNING_RATE, weight_decay=0.0)
    for _, known, gone in zip(range(STEPS), endless(retain), endless(forget), strict=False):
        optimizer.zero_grad()
        inputs, targets = gone
        with torch.no_grad():
            before = answer_loss(original(inputs), targets)
        lose = preference_loss(answer_loss(net(inputs), targets), before)
        keep = cross_entropy(net(known[0]), known[1])
        (lose + RETAIN_WEIGHT * keep).backward()
        optimizer.step()
    return net


def preference_loss(losses: Tensor, before: Tensor) -> Tensor:
    """The mean loss, from [B] losses of whole answers now and before."""
    return -2 / BETA * logsigmoid(BETA * (losses - before)).mean()


def answer_loss(logits: Tensor, targets: Tensor) -> Tensor:
    """[B] the loss of each whole answer: the sum over its tokens, or the one class. What is not asked counts 0."""
    return cross_entropy(logits, targets, reduction="none").reshape(len(targets), -1).sum(dim=1)


def endless(loader: DataLoader) -> Iterator:
    """Batch after batch, pass after pass."""
    if not len(loader):
        raise NotImplementedError("This method needs examples, and this task only describes what is to be forgotten.")
    while True:
        yield from loader
