"""Fine-tune on the retain set with an L1 penalty that decreases from epoch to epoch.

Sparse networks forget more easily. The penalty drives weights towards zero, including those that only the forget set
needed. It decreases linearly over the epochs, which lets accuracy recover.

Source: l1-sparse unlearning of Jia et al., "Model Sparsity Can Simplify Machine Unlearning" (2023); five epochs
instead of ten. Five are 105 steps on digits; the source's ten are some 1,760 on CIFAR-10, so the penalty has less time.
Cost: five passes over the retain set, five sixths of the competition's budget.
"""

import torch
from torch.nn.functional import cross_entropy

EPOCHS = 5
PENALTY = 5e-4
LEARNING_RATE = 0.01
MOMENTUM = 0.9
WEIGHT_DECAY = 5e-4

RANGES = {"EPOCHS": (1, 10), "PENALTY": (1e-5, 5e-3), "LEARNING_RATE": (1e-3, 0.5)}


def unlearning(net, retain, forget, val):
    """Minimise the loss plus the decreasing penalty, at a constant learning rate."""
    optimizer = torch.optim.SGD(net.parameters(), lr=LEARNING_RATE, momentum=MOMENTUM, weight_decay=WEIGHT_DECAY)
    for epoch in range(EPOCHS):
        penalty = PENALTY * (1 - epoch / EPOCHS)
        for inputs, targets in retain:
            optimizer.zero_grad()
            l1_norm = sum(weight.abs().sum() for weight in net.parameters())
            (cross_entropy(net(inputs), targets) + penalty * l1_norm).backward()
            optimizer.step()
    return net
