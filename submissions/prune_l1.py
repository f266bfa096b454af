"""Set the smallest 90% of the weights to zero, then fine-tune on the retain set.

A pruned network has little capacity left for single examples. Pruned weights may grow back, and those that the retain
set needs do.

The pruned share and the learning rate were tuned on digits; the source prunes 99%. Gradients are clipped by norm,
because a rate this high would otherwise wreck a ResNet-18.

Source: heuristic 5 of Triantafillou et al., "Are we making progress in unlearning?" (2024).
Cost: one pass over the retain set.
"""

import torch
from torch import nn
from torch.nn.functional import cross_entropy
from torch.nn.utils import clip_grad_norm_

SHARE = 0.9
EPOCHS = 1
LEARNING_RATE = 0.2
MAX_GRADIENT_NORM = 1.0
MOMENTUM = 0.9
WEIGHT_DECAY = 5e-4

RANGES = {"SHARE": (0.3, 0.99), "EPOCHS": (1, 6), "LEARNING_RATE": (1e-3, 1.0), "MAX_GRADIENT_NORM": (0.1, 5.0)}


def unlearning(net, retain, forget, val):
    """Prune, then fine-tune all weights with a cosine schedule."""
    prune(net)
    optimizer = torch.optim.SGD(net.parameters(), lr=LEARNING_RATE, momentum=MOMENTUM, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, EPOCHS * len(retain))
    for _ in range(EPOCHS):
        for inputs, targets in retain:
            optimizer.zero_grad()
            cross_entropy(net(inputs), targets).backward()
            clip_grad_norm_(net.parameters(), MAX_GRADIENT_NORM)
            optimizer.step()
            schedule.step()
    return net


@torch.no_grad()
def prune(net):
    """Zero the weights of convolutions and linear layers with the smallest absolute values, over all layers at once."""
    weights = [module.weight for module in net.modules() if isinstance(module, (nn.Conv2d, nn.Linear))]
    if not weights:
        raise NotImplementedError(
            "This method prunes convolutions (Conv2d) and linear layers, and this network has none."
        )
    everywhere = torch.cat([weight.abs().flatten() for weight in weights])
    threshold = everywhere.kthvalue(max(1, int(SHARE * len(everywhere)))).values
    for weight in weights:
        weight[weight.abs() <= threshold] = 0
