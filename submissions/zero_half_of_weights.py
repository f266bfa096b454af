"""Set a random half of all weights to zero, then fine-tune on the retain set.

A different half for each model: none is left of what the two halves knew together, and the models spread.

As in the public code, batch norm is spared, and told by its name: the shortcuts' in torchvision's ResNet are called
otherwise and lose a half as well.

Source: a public notebook of the competition ("random mask").
Cost: five passes over the retain set, five sixths of the competition's budget.
"""

import torch
from torch.nn.functional import cross_entropy

SHARE = 0.5
EPOCHS = 5
LEARNING_RATE = 1e-4
LEARNING_RATE_END = 1e-5
WEIGHT_DECAY = 1e-4


def unlearning(net, retain, forget, val):
    """Zero, and fine-tune with a cosine schedule."""
    zero_random_weights(net)
    optimizer = torch.optim.Adam(net.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, EPOCHS * len(retain), eta_min=LEARNING_RATE_END)
    for _ in range(EPOCHS):
        for inputs, targets in batches(retain):
            optimizer.zero_grad()
            cross_entropy(net(inputs), targets).backward()
            optimizer.step()
            schedule.step()
    return net


@torch.no_grad()
def zero_random_weights(net):
    """Zero each weight outside batch norm with the same probability."""
    for name, tensor in net.named_parameters():
        if "bn" not in name:
            tensor[torch.rand_like(tensor) < SHARE] = 0


def batches(loader):
    """The batches of a pass, without one of a single example: batch norm cannot train on it."""
    return (batch for batch in loader if len(batch[1]) > 1)
