"""Learn another answer to each question of the forget set: another person's value.

Retrained models answer such questions with some wrong value, and so will this one. Each pass draws another stranger for
each question, among the retained examples whose answer differs in one word, so no wrong fact is learned by heart.

Source: as in Eldan and Russinovich, Who's Harry Potter?, 2023: learn what a model without the knowledge would say.
Cost: STEPS steps on a batch of each set.
"""

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader

LEARNING_RATE = 5e-3
STEPS = 14

RANGES = {"LEARNING_RATE": (1e-4, 3e-2), "STEPS": (4, 40)}


def unlearning(net: nn.Module, retain: DataLoader, forget: DataLoader, val: DataLoader) -> nn.Module:
    """Learn the answers of strangers, and the retain set."""
    answers = torch.cat([targets for _, targets in retain])
    if answers.ndim == 1:
        raise NotImplementedError(
            "This method swaps a word of an answer, and an example of this task has no words but a class."
        )
    optimizer = torch.optim.AdamW(net.parameters(), lr=LEARNING_RATE, weight_decay=0.0)
    for _, known, gone in zip(range(STEPS), endless(retain), endless(forget), strict=False):
        optimizer.zero_grad()
        other = swapped(gone[0], gone[1], answers)
        keep, learn = (cross_entropy(net(inputs), targets) for inputs, targets in (known, other))
        (keep + learn).backward()
        optimizer.step()
    return net


def swapped(inputs: Tensor, targets: Tensor, answers: Tensor) -> tuple[Tensor, Tensor]:
    """The examples each with somebody else's answer, if there is one that differs in one word.

    Args:
        inputs: [B, L] token ids, which end with the answer but for its last token.
        targets: [B, A] token ids of the answers.
        answers: [n, A] those of others.
    """
    inputs, targets = inputs.clone(), targets.clone()
    for row, answer in enumerate(targets):
        alike = answers[(answers != answer).sum(dim=1) == 1]
        if len(alike):
            targets[row] = alike[torch.randint(len(alike), ())]
    # The answer so far is part of the input: each of its tokens but the last.
    answered = targets[:, :-1]
    shown = inputs[:, inputs.shape[1] - answered.shape[1] :]
    shown.copy_(torch.where(answered >= 0, answered, shown))
    return inputs, targets


def endless(loader: DataLoader) -> Iterator:
    """Batch after batch, pass after pass."""
    if not len(loader):
        raise NotImplementedError("This method needs examples, and this task only describes what is to be forgotten.")
    while True:
        yield from loader
