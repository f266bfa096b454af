"""Descend the loss of the retain set and climb that of the forget set, in the same steps.

Gradient ascent that is held in place: nearly all of the weight is on the retain set, so that accuracy stays while the
forget examples become unlikely. Each batch of retain examples meets the next one of forget examples, over and over.

Source: NegGrad+ of Kurmanji et al., "Towards Unbounded Machine Unlearning" (2023); its ten epochs are cut to three
here.
Cost: three passes over the retain set and as many batches of forget examples, in time six passes at most: all of the
competition's budget.
"""

import torch
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader

RETAIN_SHARE = 0.95
EPOCHS = 3
BATCH_SIZE = 256
LEARNING_RATE = 0.01
MOMENTUM = 0.9
WEIGHT_DECAY = 5e-4


def unlearning(net, retain, forget, val):
    """Train on the weighted difference of the two losses, at a constant rate."""
    retain, forget = (DataLoader(some.dataset, batch_size=BATCH_SIZE, shuffle=True) for some in (retain, forget))
    optimizer = torch.optim.SGD(net.parameters(), lr=LEARNING_RATE, momentum=MOMENTUM, weight_decay=WEIGHT_DECAY)
    for _ in range(EPOCHS):
        for (inputs, targets), (forget_inputs, forget_targets) in zip(batches(retain), endless(forget), strict=False):
            optimizer.zero_grad()
            loss = RETAIN_SHARE * cross_entropy(net(inputs), targets)
            if len(forget_targets) > 1:
                loss = loss - (1 - RETAIN_SHARE) * cross_entropy(net(forget_inputs), forget_targets)
            loss.backward()
            optimizer.step()
    return net


def batches(loader):
    """The batches of a pass, without one of a single example: batch norm cannot train on it."""
    return (batch for batch in loader if len(batch[1]) > 1)


def endless(loader):
    """Pass after pass over a set."""
    while True:
        yield from loader
