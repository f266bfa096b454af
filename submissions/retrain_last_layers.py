"""Draw the last layers anew and train them on the retain set; leave the others as they are.

Exact unlearning for the part that is redrawn, and none for the features below it, which still know the forget set.
The last stage and the classifier are redrawn; batch norm alone adapts its statistics everywhere.

Source: EU-k (exact unlearning of the last k layers) of Goel et al., "Towards Adversarial Evaluations for Inexact
Machine Unlearning" (2022); its usual form for a ResNet takes the last stage.
Cost: ten passes over the retain set, of which only the last layers go backward: in time about five, most of the
competition's budget.
"""

import torch
from torch.nn.functional import cross_entropy

LAST_PARTS = ("layer4", "fc")
EPOCHS = 10
LEARNING_RATE = 0.01
MOMENTUM = 0.9
WEIGHT_DECAY = 5e-4


def unlearning(net, retain, forget, val):
    """Reset the last parts and train them at a constant rate."""
    last = [net.get_submodule(part) for part in LAST_PARTS]
    net.requires_grad_(False)
    for part in last:
        part.requires_grad_(True)
        for module in part.modules():
            if hasattr(module, "reset_parameters"):
                module.reset_parameters()
    weights = [weight for part in last for weight in part.parameters()]
    optimizer = torch.optim.SGD(weights, lr=LEARNING_RATE, momentum=MOMENTUM, weight_decay=WEIGHT_DECAY)
    for _ in range(EPOCHS):
        for inputs, targets in batches(retain):
            optimizer.zero_grad()
            cross_entropy(net(inputs), targets).backward()
            optimizer.step()
    return net.requires_grad_(True)


def batches(loader):
    """The batches of a pass, without one of a single example: batch norm cannot train on it."""
    return (batch for batch in loader if len(batch[1]) > 1)
