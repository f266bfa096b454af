"""Reset only the last layers and train them on the retain set.

The last convolutions and linear layers are reset and trained, with all that lies after the first of them: exact
unlearning for these layers. All other weights are frozen and still know the forget set; only the running statistics of
their batch norms change.

Goel et al. count layers from the end. Here they are a share of all layers: in a ResNet-18 the last six of 21, which are
its last stage and its classifier. They train for as long as a new model, by the same recipe. A file cannot know the
recipe of the task, so this is the one of `digits`, as in `retrain.py`. Unlike in their code, batch norm between these
layers is reset as well.

Source: EU-k (exact unlearning of the last k layers) of Goel et al., "Towards Adversarial Evaluations for Inexact
Machine Unlearning" (2022).
Cost: ten passes over the retain set. The backward pass covers only the last layers, so they take about the time of
five full passes: most of the competition's budget.
"""

import torch
from torch import nn
from torch.nn.functional import cross_entropy
from torchvision.models import ResNet

LAST_SHARE = 0.28
EPOCHS = 10
LEARNING_RATE = 0.1
MOMENTUM = 0.9
WEIGHT_DECAY = 5e-4

RANGES = {"LAST_SHARE": (0.1, 0.9), "EPOCHS": (2, 15), "LEARNING_RATE": (1e-3, 0.5)}


def unlearning(net, retain, forget, val):
    """Reset the last layers and train them with a cosine schedule."""
    last = last_layers(net)
    reset(net, last)
    net.requires_grad_(False)
    weights = [weight for module in last for weight in module.parameters(recurse=False)]
    for weight in weights:
        weight.requires_grad_(True)
    optimizer = torch.optim.SGD(weights, lr=LEARNING_RATE, momentum=MOMENTUM, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, EPOCHS)
    for _ in range(EPOCHS):
        for inputs, targets in retain:
            optimizer.zero_grad()
            cross_entropy(net(inputs), targets).backward()
            optimizer.step()
        schedule.step()
    return net.requires_grad_(True)


def last_layers(net):
    """All modules from the first of the last convolutions and linear layers on."""
    modules = list(net.modules())
    counted = [place for place, module in enumerate(modules) if isinstance(module, (nn.Conv2d, nn.Linear))]
    if not counted:
        raise NotImplementedError(
            "This method counts convolutions (Conv2d) and linear layers, and this network has none."
        )
    return modules[counted[-max(1, round(LAST_SHARE * len(counted)))] :]


def reset(net, modules):
    """Initialise these layers anew, as the network does: torchvision's ResNet draws convolutions in its own way."""
    for module in modules:
        if hasattr(module, "reset_parameters"):
            module.reset_parameters()
        elif next(module.parameters(recurse=False), None) is not None:
            kind = type(module).__name__
            raise NotImplementedError(
                f"This method resets the last layers, and {kind} in this network has no reset_parameters()."
            )
        if isinstance(net, ResNet) and isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
