"""Reset the classifier, train a few random layers at a time with noise added to some, then train all layers.

In each of the first five epochs, nine weight tensors are drawn at random and trained together with batch norm; all
others are frozen. Models differ because each draws other tensors.

As in the public code, batch norm is recognised by its name ("bn"). In torchvision's ResNet, the batch norms of the
shortcuts have other names and count among the other tensors. Also as in the public code, no tensor receives noise in
the first epoch or once it was drawn in an earlier one; a network with nine such tensors or fewer receives none.

Source: seventh place in the NeurIPS 2023 Machine Unlearning Challenge.
Cost: nine passes over the retain set, one and a half times the competition's budget. In five of them most weights need
no gradient, which saves part of that.
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
    """Train random tensors for five epochs, then all tensors for four."""
    if not hasattr(net, "fc"):
        raise NotImplementedError("This method resets fc, and this network has no fc.")
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
    """Draw ``count`` of the names without replacement, or all if there are fewer."""
    return [names[index] for index in torch.randperm(len(names))[:count]]


@torch.no_grad()
def add_noise(net, names):
    """Add Gaussian noise to the named tensors."""
    for name in sorted(names):
        tensor = net.get_parameter(name)
        tensor += NOISE * torch.randn_like(tensor)


def train(net, retain, names, learning_rate):
    """Train only the named tensors for one epoch, with a new optimizer."""
    for name, tensor in net.named_parameters():
        tensor.requires_grad_(name in names)
    chosen = [net.get_parameter(name) for name in names]
    optimizer = torch.optim.SGD(chosen, lr=learning_rate, momentum=MOMENTUM, weight_decay=WEIGHT_DECAY)
    for inputs, targets in retain:
        optimizer.zero_grad()
        cross_entropy(net(inputs), targets).backward()
        optimizer.step()
