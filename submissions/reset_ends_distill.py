"""Reset the first and the last layer, and let the original teach: first on validation, then on the retain set.

The two ends are what touches the examples and their labels. Warming up on the validation set, which the original
never learned by heart, passes on what it knows in general; the retain set then brings back what is special.

The losses at the higher temperature are not scaled up by its square, as in the public code.

Source: the sixth of the competition's winners.
Cost: three passes over the retain set and three over the validation set, with the original's answers about three
quarters of the competition's budget.
"""

import copy

import torch
from torch.nn.functional import cross_entropy, kl_div, log_softmax, softmax

EPOCHS = 3
WARM_UP_EPOCHS = 3
TEMPERATURE = 5
LEARNING_RATE = 1e-3
WARM_UP_LEARNING_RATE = 9e-4
MOMENTUM = 0.9
WEIGHT_DECAY = 5e-4


def unlearning(net, retain, forget, val):
    """Reset, warm up at a constant rate, fine-tune with a cosine schedule."""
    original = copy.deepcopy(net).eval()
    net.conv1.reset_parameters()
    net.fc.reset_parameters()
    optimizer = sgd(net, WARM_UP_LEARNING_RATE)
    for _ in range(WARM_UP_EPOCHS):
        for inputs, _ in batches(val):
            optimizer.zero_grad()
            divergence(*soft_answers(net, original, inputs)[1:]).backward()
            optimizer.step()
    optimizer = sgd(net, LEARNING_RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, EPOCHS)
    for _ in range(EPOCHS):
        for inputs, targets in batches(retain):
            optimizer.zero_grad()
            logits, answers, wanted = soft_answers(net, original, inputs)
            soft_cross_entropy = -(wanted * answers).sum(dim=1).mean()
            (cross_entropy(logits, targets) + soft_cross_entropy + divergence(answers, wanted)).backward()
            optimizer.step()
        schedule.step()
    return net


def sgd(net, learning_rate):
    """A fresh optimiser of all weights."""
    return torch.optim.SGD(net.parameters(), lr=learning_rate, momentum=MOMENTUM, weight_decay=WEIGHT_DECAY)


def soft_answers(net, original, inputs):
    """The network's logits, its log-probabilities at the temperature, and the original's probabilities there."""
    logits = net(inputs)
    with torch.no_grad():
        wanted = softmax(original(inputs) / TEMPERATURE, dim=1)
    return logits, log_softmax(logits / TEMPERATURE, dim=1), wanted


def divergence(answers, wanted):
    """The Kullback-Leibler divergence of log-probabilities from probabilities, mean over the examples."""
    return kl_div(answers, wanted, reduction="batchmean")


def batches(loader):
    """The batches of a pass, without one of a single example: batch norm cannot train on it."""
    return (batch for batch in loader if len(batch[1]) > 1)
