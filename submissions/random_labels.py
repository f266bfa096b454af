"""Random labels: learn nonsense in the place of what is to be forgotten.

Gradient descent on the forget set with labels drawn anew, uniformly, for every batch.

Batch size and rate were tuned on digits. Gradients are clipped to a norm: what is known well has a large gradient
towards a wrong label, and a ResNet-18 would be wrecked by it.

Source: heuristic 3 of Triantafillou et al., "Are we making progress in unlearning?" (2024).
Cost: a pass over the forget set; hardly any time at all.
"""

import torch
from torch.nn.functional import cross_entropy
from torch.nn.utils import clip_grad_norm_
from torch.utils.data import DataLoader

EPOCHS = 1
BATCH_SIZE = 16
LEARNING_RATE = 0.1
LARGEST_GRADIENT = 1.0


def unlearning(net, retain, forget, val):
    """Descend the loss of random labels on the forget set."""
    small_batches = DataLoader(forget.dataset, batch_size=BATCH_SIZE, shuffle=True)
    optimizer = torch.optim.SGD(net.parameters(), lr=LEARNING_RATE)
    for _ in range(EPOCHS):
        for inputs, targets in batches(small_batches):
            optimizer.zero_grad()
            logits = net(inputs)
            random_targets = torch.randint(logits.shape[1], targets.shape, device=targets.device)
            cross_entropy(logits, random_targets).backward()
            clip_grad_norm_(net.parameters(), LARGEST_GRADIENT)
            optimizer.step()
    return net


def batches(loader):
    """The batches of a pass, without one of a single example: batch norm cannot train on it."""
    return (batch for batch in loader if len(batch[1]) > 1)
