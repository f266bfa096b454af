"""Reset only the last layers and train them on the retain set.

The last stage and the classifier are reset and trained: exact unlearning for these layers. All other weights are
frozen and still know the forget set; only the running statistics of their batch norms change.

Source: EU-k (exact unlearning of the last k layers) of Goel et al., "Towards Adversarial Evaluations for Inexact
Machine Unlearning" (2022). For a ResNet, the last k layers are usually the last stage and the classifier.
Cost: ten passes over the retain set. The backward pass covers only the last layers, so they take about the time of
five full passes: most of the competition's budget.
"""

import torch
from torch.nn.functional import cross_entropy

LAST_LAYERS = ("layer4", "fc")
EPOCHS = 10
LEARNING_RATE = 0.01
MOMENTUM = 0.9
WEIGHT_DECAY = 5e-4


def unlearning(net, retain, forget, val):
    """Reset the last layers and train them at a constant learning rate."""
    if missing := [name for name in LAST_LAYERS if not hasattr(net, name)]:
        raise NotImplementedError(
            f"This method resets {' and '.join(LAST_LAYERS)}, and this network has no {' or '.join(missing)}."
        )
    last = [net.get_submodule(name) for name in LAST_LAYERS]
    net.requires_grad_(False)
    for layers in last:
        layers.requires_grad_(True)
        for module in layers.modules():
            if hasattr(module, "reset_parameters"):
                module.reset_parameters()
    weights = [weight for layers in last for weight in layers.parameters()]
    optimizer = torch.optim.SGD(weights, lr=LEARNING_RATE, momentum=MOMENTUM, weight_decay=WEIGHT_DECAY)
    for _ in range(EPOCHS):
        for inputs, targets in retain:
            optimizer.zero_grad()
            cross_entropy(net(inputs), targets).backward()
            optimizer.step()
    return net.requires_grad_(True)
