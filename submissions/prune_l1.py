"""Prune most weights by magnitude, then fine-tune on the retain set.

A pruned network has little room left for single examples; what the retain set needs grows back.

Share and rate were tuned on digits; the source prunes 0.99. Gradients are clipped to a norm, without which so high a
rate wrecks a ResNet-18.

Source: heuristic 5 of Triantafillou et al., "Are we making progress in unlearning?" (2024).
Cost: a pass over the retain set.
"""

import torch
from torch import nn
from torch.nn.functional import cross_entropy
from torch.nn.utils import clip_grad_norm_

SHARE = 0.9
EPOCHS = 1
LEARNING_RATE = 0.2
LARGEST_GRADIENT = 1.0
MOMENTUM = 0.9
WEIGHT_DECAY = 5e-4


def unlearning(net, retain, forget, val):
    """Zero the smallest weights and fine-tune with a cosine schedule; what was pruned may grow back."""
    prune(net)
    optimizer = torch.optim.SGD(net.parameters(), lr=LEARNING_RATE, momentum=MOMENTUM, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, EPOCHS * len(retain))
    for _ in range(EPOCHS):
        for inputs, targets in batches(retain):
            optimizer.zero_grad()
            cross_entropy(net(inputs), targets).backward()
            clip_grad_norm_(net.parameters(), LARGEST_GRADIENT)
            optimizer.step()
            schedule.step()
    return net


@torch.no_grad()
def prune(net):
    """Zero the share of all convolution and linear weights that has the smallest absolute values."""
    weights = [module.weight for module in net.modules() if isinstance(module, (nn.Conv2d, nn.Linear))]
    everywhere = torch.cat([weight.abs().flatten() for weight in weights])
    threshold = everywhere.kthvalue(max(1, int(SHARE * len(everywhere)))).values
    for weight in weights:
        weight[weight.abs() <= threshold] = 0


def batches(loader):
    """The batches of a pass, without one of a single example: batch norm cannot train on it."""
    return (batch for batch in loader if len(batch[1]) > 1)
