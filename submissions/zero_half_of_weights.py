"""Set a random half of all weights to zero, then fine-tune on the retain set.

The network loses what the weights of both halves knew together. Each model loses a different half, so the models
differ widely.

As in the public code, batch norm is recognised by its name ("bn") and left alone. In torchvision's ResNet, the batch
norms of the shortcuts have other names and lose half of their weights as well.

Source: a public notebook of the NeurIPS 2023 Machine Unlearning Challenge ("random mask"). Its five passes over
the competition's retain set are some 1,500 steps; on digits they are 105.
Cost: five passes over the retain set, five sixths of the competition's budget.
"""

import torch
from torch.nn.functional import cross_entropy

SHARE = 0.5
EPOCHS = 5
LEARNING_RATE = 1e-4
LEARNING_RATE_END = 1e-5
WEIGHT_DECAY = 1e-4

RANGES = {"SHARE": (0.05, 0.8), "EPOCHS": (1, 8), "LEARNING_RATE": (3e-5, 3e-2)}


def unlearning(net, retain, forget, val):
    """Zero, then fine-tune with a cosine schedule."""
    zero_random_weights(net)
    optimizer = torch.optim.Adam(net.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, EPOCHS * len(retain), eta_min=LEARNING_RATE_END)
    for _ in range(EPOCHS):
        for inputs, targets in retain:
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
