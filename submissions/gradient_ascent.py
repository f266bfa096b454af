"""Gradient ascent on the forget set: undo learning by walking it backwards.

The loss on the forget set is maximised for a few small steps. Nothing holds the retain set in place, so it has
to stop early, and the examples end up too unlikely rather than forgotten.

Batch size and rate were tuned on digits. Gradients are clipped to a norm: they grow as the loss does, and on a
ResNet-18 would run away.

Source: heuristic 1 of Triantafillou et al., "Are we making progress in unlearning?" (2024).
Cost: a pass over the forget set; hardly any time at all.
"""

import torch
from torch.nn.functional import cross_entropy
from torch.nn.utils import clip_grad_norm_
from torch.utils.data import DataLoader

EPOCHS = 1
BATCH_SIZE = 8
LEARNING_RATE = 0.1
LARGEST_GRADIENT = 1.0


def unlearning(net, retain, forget, val):
    """Climb the loss of the forget set."""
    small_batches = DataLoader(forget.dataset, batch_size=BATCH_SIZE, shuffle=True)
    optimizer = torch.optim.SGD(net.parameters(), lr=LEARNING_RATE, maximize=True)
    for _ in range(EPOCHS):
        for inputs, targets in batches(small_batches):
            optimizer.zero_grad()
            cross_entropy(net(inputs), targets).backward()
            clip_grad_norm_(net.parameters(), LARGEST_GRADIENT)
            optimizer.step()
    return net


def batches(loader):
    """The batches of a pass, without one of a single example: batch norm cannot train on it."""
    return (batch for batch in loader if len(batch[1]) > 1)
