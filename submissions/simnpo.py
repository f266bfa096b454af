"""Push answers to the forget set down by their mean token loss, without the original as a reference.

Simpler than NPO: no second model, and answers of all lengths count alike. The pressure falls as an answer becomes less
probable, whatever the original said of it.

Source: Fan et al., Simplicity Prevails: Rethinking NPO, 2024 (beta 4.5, retain weight 8, margin 0).
Cost: STEPS steps on a batch of each set.
"""

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, logsigmoid
from torch.utils.data import DataLoader

BETA = 4.5
MARGIN = 0.0
RETAIN_WEIGHT = 8.0
LEARNING_RATE = 5e-3
STEPS = 18

RANGES = {"BETA": (0.5, 10.0), "RETAIN_WEIGHT": (0.5, 30.0), "LEARNING_RATE": (1e-4, 3e-2), "STEPS": (2, 40)}

NOT_ASKED = -100
"""Where a target has no class."""


def unlearning(net: nn.Module, retain: DataLoader, forget: DataLoader, val: DataLoader) -> nn.Module:
    """Take steps on the preference loss of the forget set and the usual loss of the retain set."""
    # Batch norm, where there is any, keeps its statistics: it cannot train on one example.
    net.eval()
    optimizer = torch.optim.AdamW(net.parameters(), lr=LEARNING_RATE, weight_decay=0.0)
    for _, known, gone in zip(range(STEPS), endless(retain), endless(forget), strict=False):
        optimizer.zero_grad()
        inputs, targets = gone
        asked = (targets != NOT_ASKED).reshape(len(targets), -1).sum(dim=1)
        lose = preference_loss(answer_loss(net(inputs), targets), asked)
        keep = cross_entropy(net(known[0]), known[1])
        (lose + RETAIN_WEIGHT * keep).backward()
        optimizer.step()
    return net


def preference_loss(losses: Tensor, lengths: Tensor) -> Tensor:
    """The mean loss, from [B] losses of whole answers and their [B] lengths."""
    return -2 / BETA * logsigmoid(BETA * (losses / lengths - MARGIN)).mean()


def answer_loss(logits: Tensor, targets: Tensor) -> Tensor:
    """[B] the loss of each whole answer: the sum over its tokens, or the one class. What is not asked counts 0."""
    return cross_entropy(logits, targets, reduction="none").reshape(len(targets), -1).sum(dim=1)


def endless(loader: DataLoader) -> Iterator:
    """Batch after batch, pass after pass."""
    if not len(loader):
        raise NotImplementedError("This method needs examples, and this task only describes what is to be forgotten.")
    while True:
        yield from loader
