"""Train on the forget set with random labels.

Labels are drawn uniformly, anew for every batch.

The batch size and the learning rate were tuned on digits. Gradients are clipped by norm: a well-known example has a
large gradient towards a wrong label, which would wreck a ResNet-18.

Source: heuristic 3 of Triantafillou et al., "Are we making progress in unlearning?" (2024).
Cost: one pass over the forget set, which takes almost no time.
"""

import torch
from torch.nn.functional import cross_entropy
from torch.nn.utils import clip_grad_norm_
from torch.utils.data import DataLoader

EPOCHS = 1
BATCH_SIZE = 16
LEARNING_RATE = 0.1
MAX_GRADIENT_NORM = 1.0

NOT_ASKED = -100
"""Where a sequence of targets has no class."""

RANGES = {"EPOCHS": (1, 5), "BATCH_SIZE": (4, 64), "LEARNING_RATE": (1e-3, 0.5), "MAX_GRADIENT_NORM": (0.1, 5.0)}


def unlearning(net, retain, forget, val):
    """Minimise the loss of random labels on the forget set."""
    if not len(forget.dataset):
        raise NotImplementedError("This method needs examples, and this task only describes what is to be forgotten.")
    # Batch norm cannot train on one example.
    drop_last = len(forget.dataset) % BATCH_SIZE == 1
    small_batches = DataLoader(forget.dataset, batch_size=BATCH_SIZE, shuffle=True, drop_last=drop_last)
    optimizer = torch.optim.SGD(net.parameters(), lr=LEARNING_RATE)
    for _ in range(EPOCHS):
        for inputs, targets in small_batches:
            optimizer.zero_grad()
            logits = net(inputs)
            random_targets = torch.randint(logits.shape[1], targets.shape, device=targets.device)
            cross_entropy(logits, random_targets.where(targets != NOT_ASKED, targets)).backward()
            clip_grad_norm_(net.parameters(), MAX_GRADIENT_NORM)
            optimizer.step()
    return net
