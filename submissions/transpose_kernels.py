"""Transpose all convolution kernels, then fine-tune on the retain set.

A transposed kernel still detects edges, but in other directions than the network expects. Fine-tuning repairs that
with the retain set alone.

The winner made one half of its models in this way and the other half as in `pseudo_labels.py`. Three epochs were about
900 steps in the competition; on digits they are 63.

Source: fifth place in the NeurIPS 2023 Machine Unlearning Challenge; alone, it is the method CT of Deep Unlearn's
benchmark (Cadet et al., 2024).
Cost: three passes over the retain set, half of the competition's budget.
"""

import torch
from torch import nn
from torch.nn.functional import cross_entropy

EPOCHS = 3
LEARNING_RATE = 1e-3
MOMENTUM = 0.9
WEIGHT_DECAY = 5e-4

RANGES = {"EPOCHS": (1, 8), "LEARNING_RATE": (1e-4, 0.3), "WEIGHT_DECAY": (1e-5, 1e-2)}


def unlearning(net, retain, forget, val):
    """Transpose, then fine-tune with a cosine schedule."""
    transpose_kernels(net)
    optimizer = torch.optim.SGD(net.parameters(), lr=LEARNING_RATE, momentum=MOMENTUM, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, EPOCHS)
    for _ in range(EPOCHS):
        for inputs, targets in retain:
            optimizer.zero_grad()
            cross_entropy(net(inputs), targets).backward()
            optimizer.step()
        schedule.step()
    return net


@torch.no_grad()
def transpose_kernels(net):
    """Swap the two spatial axes of all convolution kernels."""
    convolutions = [module for module in net.modules() if isinstance(module, nn.Conv2d)]
    if not convolutions:
        raise NotImplementedError("This method transposes convolutions (Conv2d), and this network has none.")
    for module in convolutions:
        module.weight.copy_(module.weight.transpose(2, 3).clone())
