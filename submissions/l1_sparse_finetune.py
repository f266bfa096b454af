"""Fine-tune on the retain set under a penalty on the absolute weights, which fades away.

Sparse networks forget more easily. The penalty drives weights to zero and what only the forget set needed with them;
it decreases linearly from epoch to epoch, and lets accuracy come back.

Source: l1-sparse unlearning of Jia et al., "Model Sparsity Can Simplify Machine Unlearning" (2023); its ten epochs
are cut to five here.
Cost: five passes over the retain set, five sixths of the competition's budget.
"""

import torch
from torch.nn.functional import cross_entropy

EPOCHS = 5
PENALTY = 5e-4
LEARNING_RATE = 0.01
MOMENTUM = 0.9
WEIGHT_DECAY = 5e-4


def unlearning(net, retain, forget, val):
    """Train on the loss and the fading penalty, at a constant rate."""
    optimizer = torch.optim.SGD(net.parameters(), lr=LEARNING_RATE, momentum=MOMENTUM, weight_decay=WEIGHT_DECAY)
    for epoch in range(EPOCHS):
        penalty = PENALTY * (1 - epoch / EPOCHS)
        for inputs, targets in batches(retain):
            optimizer.zero_grad()
            absolute = sum(weight.abs().sum() for weight in net.parameters())
            (cross_entropy(net(inputs), targets) + penalty * absolute).backward()
            optimizer.step()
    return net


def batches(loader):
    """The batches of a pass, without one of a single example: batch norm cannot train on it."""
    return (batch for batch in loader if len(batch[1]) > 1)
