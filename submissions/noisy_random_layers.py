"""Reset the last layer and train a few random layers at a time, some of them disturbed by noise; then all.

In each of the first epochs some weight tensors are drawn at random and trained together with batch norm; all others
stand still. Which ones were shaken up, and when, differs from model to model, and so do the models.

As in the public code, batch norm is told by its name: the shortcuts' in torchvision's ResNet are called otherwise and
count among the other tensors. As there too, no tensor gets noise in the first epoch, nor once it was drawn in an
earlier one: a network of nine such tensors or fewer gets no noise at all.

Source: the seventh of the competition's winners.
Cost: nine passes over the retain set, half as much again as the competition's budget if counted so. In five of them
most weights need no gradient, which saves some of that.
"""

import torch
from torch.nn.functional import cross_entropy

RANDOM_LEARNING_RATES = (2e-4, 2e-4, 2e-4, 2e-4, 2e-4)
LEARNING_RATES = (2e-4, 2e-4, 2e-4, 1e-3)
TRAINED_TENSORS = 9
NOISY_TENSORS = 6
NOISE = 0.04
MOMENTUM = 0.9
WEIGHT_DECAY = 5e-4


def unlearning(net, retain, forget, val):
    """Epochs with a few tensors each, then epochs with all of them; each with an optimiser of its own."""
    net.fc.reset_parameters()
    norms = [name for name, _ in net.named_parameters() if "bn" in name]
    others = [name for name, _ in net.named_parameters() if "bn" not in name]
    drawn_before: set[str] = set()
    for epoch, learning_rate in enumerate(RANDOM_LEARNING_RATES):
        drawn = draw(others, TRAINED_TENSORS)
        if epoch > 0:
            add_noise(net, set(draw(drawn, NOISY_TENSORS)) - drawn_before)
        drawn_before.update(drawn)
        train(net, retain, norms + drawn, learning_rate)
    for learning_rate in LEARNING_RATES:
        train(net, retain, norms + others, learning_rate)
    return net


def draw(names, count):
    """So many of the names, or all if they are fewer, in random order."""
    return [names[index] for index in torch.randperm(len(names))[:count]]


@torch.no_grad()
def add_noise(net, names):
    """Add Gaussian noise to the named tensors."""
    for name in sorted(names):
        tensor = net.get_parameter(name)
        tensor += NOISE * torch.randn_like(tensor)


def train(net, retain, names, learning_rate):
    """An epoch in which only the named tensors move."""
    for name, tensor in net.named_parameters():
        tensor.requires_grad_(name in names)
    chosen = [net.get_parameter(name) for name in names]
    optimizer = torch.optim.SGD(chosen, lr=learning_rate, momentum=MOMENTUM, weight_decay=WEIGHT_DECAY)
    for inputs, targets in batches(retain):
        optimizer.zero_grad()
        cross_entropy(net(inputs), targets).backward()
        optimizer.step()


def batches(loader):
    """The batches of a pass, without one of a single example: batch norm cannot train on it."""
    return (batch for batch in loader if len(batch[1]) > 1)
