"""Reset the first and the last layer, then distil the original: first on the validation set, then on the retain set.

These two layers touch the inputs and the labels directly. The original did not memorise the validation set, so the
warm-up there transfers only its general knowledge; the retain set then restores the rest.

As in the public code, the losses at the higher temperature are not multiplied by its square. Three epochs on the retain
set were about 900 steps in the competition; on digits they are 63.

Source: sixth place in the NeurIPS 2023 Machine Unlearning Challenge.
Cost: three passes over the retain set and three over the validation set, with the original's outputs about three
quarters of the competition's budget.
"""

import copy

import torch
from torch.nn.functional import cross_entropy, kl_div, log_softmax, softmax

ENDS = ("conv1", "fc")
EPOCHS = 3
WARM_UP_EPOCHS = 3
TEMPERATURE = 5
LEARNING_RATE = 1e-3
WARM_UP_LEARNING_RATE = 9e-4
MOMENTUM = 0.9
WEIGHT_DECAY = 5e-4

RANGES = {"EPOCHS": (1, 6), "TEMPERATURE": (1, 10), "LEARNING_RATE": (1e-4, 0.3), "WARM_UP_LEARNING_RATE": (1e-4, 0.1)}


def unlearning(net, retain, forget, val):
    """Reset, warm up at a constant learning rate, fine-tune with a cosine schedule."""
    if missing := [name for name in ENDS if not hasattr(net, name)]:
        raise NotImplementedError(
            f"This method resets {' and '.join(ENDS)}, and this network has no {' or '.join(missing)}."
        )
    original = copy.deepcopy(net).eval()
    for name in ENDS:
        net.get_submodule(name).reset_parameters()
    if len(val.dataset) > 1:  # batch norm cannot train on one example
        warm_up(net, original, val)
    fine_tune(net, original, retain)
    return net


def warm_up(net, original, val):
    """Match the original's softened outputs on the validation set."""
    optimizer = sgd(net, WARM_UP_LEARNING_RATE)
    for _ in range(WARM_UP_EPOCHS):
        for inputs, _ in val:
            optimizer.zero_grad()
            _, log_probabilities, wanted = soften(net, original, inputs)
            divergence(log_probabilities, wanted).backward()
            optimizer.step()


def fine_tune(net, original, retain):
    """Learn the labels and the original's softened outputs on the retain set."""
    optimizer = sgd(net, LEARNING_RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, EPOCHS)
    for _ in range(EPOCHS):
        for inputs, targets in retain:
            optimizer.zero_grad()
            logits, log_probabilities, wanted = soften(net, original, inputs)
            soft_cross_entropy = -(wanted * log_probabilities).sum(dim=1).mean()
            (cross_entropy(logits, targets) + soft_cross_entropy + divergence(log_probabilities, wanted)).backward()
            optimizer.step()
        schedule.step()


def sgd(net, learning_rate):
    """A new optimizer of all weights."""
    return torch.optim.SGD(net.parameters(), lr=learning_rate, momentum=MOMENTUM, weight_decay=WEIGHT_DECAY)


def soften(net, original, inputs):
    """The network's logits, its softened log-probabilities and the original's softened probabilities."""
    logits = net(inputs)
    with torch.no_grad():
        wanted = softmax(original(inputs) / TEMPERATURE, dim=1)
    return logits, log_softmax(logits / TEMPERATURE, dim=1), wanted


def divergence(log_probabilities, wanted):
    """The Kullback-Leibler divergence from ``wanted``, averaged over the batch."""
    return kl_div(log_probabilities, wanted, reduction="batchmean")
