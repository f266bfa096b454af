"""Drown the first convolution in noise, then fine-tune with little weight on all but the dominant class.

With a stem of noise the network sees its pictures as it never did, and has to learn anew what to look for. A
little noise before the last epoch keeps it from settling too sharply.

The loss is the batch's mean cross-entropy times the batch's mean class weight, as the public code computes it: it
weights batches, not examples. The dominant class is the most frequent one of the retain set.

Source: the third of the competition's winners.
Cost: four passes over the retain set, two thirds of the competition's budget; and a look at its labels.
"""

import torch
from torch.nn.functional import cross_entropy

EPOCHS = 4
LEARNING_RATE = 7e-4
MOMENTUM = 0.9
WEIGHT_DECAY = 5e-4
FIRST_NOISE = 0.6
LAST_NOISE = 0.005
DOMINANT_CLASS_WEIGHT = 1.0
OTHER_CLASS_WEIGHT = 0.05


def unlearning(net, retain, forget, val):
    """Noise, fine-tuning with a cosine schedule, and a little noise again before the last epoch."""
    add_noise(net.conv1, FIRST_NOISE)
    dominant = most_frequent_class(retain)
    optimizer = torch.optim.SGD(net.parameters(), lr=LEARNING_RATE, momentum=MOMENTUM, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, EPOCHS)
    for epoch in range(EPOCHS):
        if epoch == EPOCHS - 1:
            add_noise(net.conv1, LAST_NOISE)
        for inputs, targets in batches(retain):
            weights = torch.where(targets == dominant, DOMINANT_CLASS_WEIGHT, OTHER_CLASS_WEIGHT)
            optimizer.zero_grad()
            (cross_entropy(net(inputs), targets) * weights.mean()).backward()
            optimizer.step()
        schedule.step()
    return net


@torch.no_grad()
def add_noise(module, deviation):
    """Add Gaussian noise to a layer's weights."""
    module.weight += deviation * torch.randn_like(module.weight)


def most_frequent_class(loader):
    """The class that most examples have."""
    return torch.cat([targets for _, targets in loader]).mode().values


def batches(loader):
    """The batches of a pass, without one of a single example: batch norm cannot train on it."""
    return (batch for batch in loader if len(batch[1]) > 1)
