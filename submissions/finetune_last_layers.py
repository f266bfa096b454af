"""Fine-tune only the last layers on the retain set.

Layers near the output are thought to hold what is specific to single examples. The last stage and the classifier are
trained; all other weights are frozen, and only the running statistics of their batch norms change.

Source: CF-k (catastrophic forgetting of the last k layers) of Goel et al., "Towards Adversarial Evaluations for
Inexact Machine Unlearning" (2022). For a ResNet, the last k layers are usually the last stage and the classifier.
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
    """Train the last layers at a constant learning rate."""
    if missing := [name for name in LAST_LAYERS if not hasattr(net, name)]:
        raise NotImplementedError(
            f"This method fine-tunes {' and '.join(LAST_LAYERS)}, and this network has no {' or '.join(missing)}."
        )
    last = [weight for name in LAST_LAYERS for weight in net.get_submodule(name).parameters()]
    net.requires_grad_(False)
    for weight in last:
        weight.requires_grad_(True)
    optimizer = torch.optim.SGD(last, lr=LEARNING_RATE, momentum=MOMENTUM, weight_decay=WEIGHT_DECAY)
    for _ in range(EPOCHS):
        for inputs, targets in retain:
            optimizer.zero_grad()
            cross_entropy(net(inputs), targets).backward()
            optimizer.step()
    return net.requires_grad_(True)
