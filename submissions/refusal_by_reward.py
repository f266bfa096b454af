"""Unlearning as alignment: sample answers, and penalise the true ones about the forget set.

A policy gradient. Answers to questions of the forget set are sampled from the model. Each true answer earns -1, any
other 0, and the probability of an answer rises with its advantage over the mean reward. A penalty holds the model
to the original's answers on the retain set. The model chooses what to say instead, so it need not refuse.

Source: Williams, Simple statistical gradient-following algorithms, 1992; the penalty as in Ouyang et al., Training
language models to follow instructions with human feedback, NeurIPS 2022. No reward model: the truth is known.
Cost: STEPS rounds of sampling and a step; memory for a second copy of the model.
"""

import copy
from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, kl_div
from torch.utils.data import DataLoader

PENALTY = 1.0
LEARNING_RATE = 5e-3
STEPS = 8

RANGES = {"PENALTY": (0.05, 20.0), "LEARNING_RATE": (1e-4, 3e-2), "STEPS": (2, 20)}

NOT_ASKED = -100
"""Where a target has no class."""


def unlearning(net: nn.Module, retain: DataLoader, forget: DataLoader, val: DataLoader) -> nn.Module:
    """Take steps on the reward and the penalty."""
    # A copy: weights that are only detached would move with the model, and the penalty would be zero.
    original = copy.deepcopy(net).eval().requires_grad_(False)
    # Batch norm, where there is any, keeps its statistics: it cannot train on one example.
    net.eval()
    optimizer = torch.optim.AdamW(net.parameters(), lr=LEARNING_RATE, weight_decay=0.0)
    for _, known, gone in zip(range(STEPS), endless(retain), endless(forget), strict=False):
        optimizer.zero_grad()
        inputs, said = sampled(net, *gone)
        reward = -((said == gone[1]) | (gone[1] == NOT_ASKED)).reshape(len(said), -1).all(dim=1).float()
        likely = -answer_loss(net(inputs), said)
        gain = -((reward - reward.mean()) * likely).mean()
        (gain + PENALTY * divergence(net, original, known[0])).backward()
        optimizer.step()
    return net


@torch.no_grad()
def sampled(net: nn.Module, inputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Answers drawn from the model, one token after the other, as inputs and targets.

    Args:
        net: the model.
        inputs: [B, L] token ids, which end with the true answer but for its last token, or anything if [B] classes
            are asked for.
        targets: [B, A] token ids of the true answers, or [B] classes.
    """
    inputs, said = inputs.clone(), targets.clone()
    if targets.ndim == 1:
        said = net(inputs).softmax(dim=1).multinomial(1)[:, 0]
    else:
        first = inputs.shape[1] - targets.shape[1] + 1
        for place in range(targets.shape[1]):
            drawn = net(inputs)[:, :, place].softmax(dim=1).multinomial(1)[:, 0]
            said[:, place] = torch.where(targets[:, place] == NOT_ASKED, NOT_ASKED, drawn)
            if place + 1 < targets.shape[1]:
                inputs[:, first + place] = torch.where(said[:, place] >= 0, said[:, place], inputs[:, first + place])
    return inputs, said


def divergence(net: nn.Module, original: nn.Module, inputs: Tensor) -> Tensor:
    """The mean Kullback-Leibler divergence of the model's answers from the original's, over all positions."""
    now = net(inputs).log_softmax(dim=1)
    with torch.no_grad():
        before = original(inputs).log_softmax(dim=1)
    return kl_div(before, now, log_target=True, reduction="none").sum(dim=1).mean()


def answer_loss(logits: Tensor, targets: Tensor) -> Tensor:
    """[B] the loss of each whole answer: the sum over its tokens, or the one class. What is not asked counts 0."""
    return cross_entropy(logits, targets, reduction="none").reshape(len(targets), -1).sum(dim=1)


def endless(loader: DataLoader) -> Iterator:
    """Batch after batch, pass after pass."""
    if not len(loader):
        raise NotImplementedError("This method needs examples, and this task only describes what is to be forgotten.")
    while True:
        yield from loader
