"""Prefer "i do not know that" to the answer, measured from the original.

Preference optimisation with a refusal as the chosen answer and the truth as the rejected one. It teaches to refuse,
which a model that never knew does not do: it answers with something wrong. So the judge easily distinguishes the two.

Source: Rafailov et al., Direct Preference Optimization, NeurIPS 2023 (published beta: 0.1); Maini et al., TOFU, COLM
2024.
Cost: STEPS steps on a batch of each set; memory for a second copy of the model.
"""

import copy
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, logsigmoid
from torch.utils.data import DataLoader

REFUSAL = "i do not know that"
BETA = 1.0
RETAIN_WEIGHT = 1.0
LEARNING_RATE = 8e-3
STEPS = 8

RANGES = {"BETA": (0.05, 5.0), "RETAIN_WEIGHT": (0.1, 20.0), "LEARNING_RATE": (1e-4, 3e-2), "STEPS": (2, 40)}

NOT_ASKED = -100
"""Where a target has no class."""


def unlearning(net: nn.Module, retain: DataLoader, forget: DataLoader, val: DataLoader) -> nn.Module:
    """Take steps on the preference loss of the forget set and the usual loss of the retain set."""
    tokenizer = getattr(forget.dataset, "tokenizer", None)
    answers = next(iter(retain))[1]
    if tokenizer is None or answers.ndim == 1:
        raise NotImplementedError("This method refuses in words, and an example of this task has no words but a class.")
    device = next(net.parameters()).device
    refusal = torch.tensor(refusal_of(tokenizer, answers), device=device)
    # A copy: weights that are only detached would move with the model, and every preference would be zero.
    original = copy.deepcopy(net).eval().requires_grad_(False)
    optimizer = torch.optim.AdamW(net.parameters(), lr=LEARNING_RATE, weight_decay=0.0)
    for _, known, gone in zip(range(STEPS), endless(retain), endless(forget), strict=False):
        optimizer.zero_grad()
        wanted = refused(gone[0], gone[1], refusal)
        losses = [answer_loss(net(inputs), targets) for inputs, targets in (wanted, gone)]
        with torch.no_grad():
            before = [answer_loss(original(inputs), targets) for inputs, targets in (wanted, gone)]
        keep = cross_entropy(net(known[0]), known[1])
        (preference_loss(*losses, *before) + RETAIN_WEIGHT * keep).backward()
        optimizer.step()
    return net


def refusal_of(tokenizer: Any, targets: Tensor) -> list[int]:
    """The token ids of the refusal with the token that ends an answer, from [B, A] answers."""
    found = tokenizer.encode(REFUSAL, add_special_tokens=False)
    ids = [*getattr(found, "ids", found), int(targets[0][targets[0] != NOT_ASKED][-1])]
    if len(ids) > targets.shape[1]:
        raise NotImplementedError(f"This method refuses in {len(ids)} tokens, and answers of this task have fewer.")
    return ids


def preference_loss(wanted: Tensor, other: Tensor, wanted_before: Tensor, other_before: Tensor) -> Tensor:
    """The mean loss, from [B] losses of both answers now and before."""
    gain = (wanted_before - wanted) - (other_before - other)
    return -2 / BETA * logsigmoid(BETA * gain).mean()


def refused(inputs: Tensor, targets: Tensor, refusal: Tensor) -> tuple[Tensor, Tensor]:
    """The questions with a refusal instead of their answers.

    Args:
        inputs: [B, L] token ids, which end with the answer but for its last token.
        targets: [B, A] token ids of the answers.
        refusal: [n] token ids of the refusal with its end, n <= A.
    """
    inputs, answers = inputs.clone(), torch.full_like(targets, NOT_ASKED)
    answers[:, : len(refusal)] = refusal
    shown = inputs[:, inputs.shape[1] - targets.shape[1] + 1 :]
    shown.copy_(torch.where(answers[:, :-1] >= 0, answers[:, :-1], shown))
    return inputs, answers


def answer_loss(logits: Tensor, targets: Tensor) -> Tensor:
    """[B] the loss of each whole answer: the sum over its tokens, or the one class. What is not asked counts 0."""
    return cross_entropy(logits, targets, reduction="none").reshape(len(targets), -1).sum(dim=1)


def endless(loader: DataLoader) -> Iterator:
    """Batch after batch, pass after pass."""
    if not len(loader):
        raise NotImplementedError("This method needs examples, and this task only describes what is to be forgotten.")
    while True:
        yield from loader
