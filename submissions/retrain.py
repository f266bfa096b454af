"""Retrain from scratch on the retain set: exact unlearning, but far over the competition's time budget.

The recipe is that of the task `digits`. On that task the models are drawn from the same distribution as the retrained
pool, so their score differs from the ceiling only by chance. On other tasks the recipe differs, and so do the models.

Cost: as much as retraining, five times the budget.
"""

import torch
from torch import nn
from torch.nn.functional import cross_entropy
from torchvision.models import ResNet

EPOCHS = 10
LEARNING_RATE = 0.1
MOMENTUM = 0.9
WEIGHT_DECAY = 5e-4

RANGES = {"EPOCHS": (2, 15), "LEARNING_RATE": (1e-3, 0.5), "WEIGHT_DECAY": (1e-5, 1e-2)}


def unlearning(net, retain, forget, val):
    """Reset all weights and train by the recipe."""
    reset(net)
    optimizer = torch.optim.SGD(net.parameters(), lr=LEARNING_RATE, momentum=MOMENTUM, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, EPOCHS)
    for _ in range(EPOCHS):
        for inputs, targets in retain:
            optimizer.zero_grad()
            cross_entropy(net(inputs), targets).backward()
            optimizer.step()
        schedule.step()
    return net


def reset(net):
    """Initialise every layer anew, as the network does: torchvision's ResNet draws convolutions in its own way."""
    net.apply(reset_layer)
    if isinstance(net, ResNet):
        for module in net.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")


def reset_layer(module):
    """Initialise one layer anew by its own method."""
    if hasattr(module, "reset_parameters"):
        module.reset_parameters()
    elif next(module.parameters(recurse=False), None) is not None:
        kind = type(module).__name__
        raise NotImplementedError(
            f"This method resets all layers, and {kind} in this network has no reset_parameters()."
        )
