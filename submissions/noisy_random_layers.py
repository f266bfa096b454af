"""Reset the classifier, train a few random layers at a time with noise added to some, then train all layers.

In each of the first five epochs, a third of the weight tensors are drawn at random and trained together with batch
norm; all others are frozen. Two thirds of the drawn ones receive noise. Models differ because each draws other tensors.

The winner drew nine of the 28 such tensors of a ResNet-18, six of them for noise. On other networks, the same shares
are drawn.

As in the public code, batch norm is recognised by its name ("bn"). In torchvision's ResNet, the batch norms of the
shortcuts have other names and count among the other tensors. Also as in the public code, no tensor receives noise in
the first epoch or once it was drawn in an earlier one. Nine epochs were about 2,700 steps in the competition; on digits
they are 189.

Source: seventh place in the NeurIPS 2023 Machine Unlearning Challenge.
Cost: nine passes over the retain set, one and a half times the competition's budget. In five of them most weights need
no gradient, which saves part of that.
"""

import torch
from torch.nn.functional import cross_entropy

RANDOM_EPOCHS = 5
EPOCHS = 4
LEARNING_RATE = 2e-4
LAST_LEARNING_RATE = 1e-3
TRAINED_SHARE = 0.32
NOISY_SHARE = 0.67
NOISE = 0.04
MOMENTUM = 0.9
WEIGHT_DECAY = 5e-4

RANGES = {"RANDOM_EPOCHS": (1, 8), "EPOCHS": (1, 8), "LEARNING_RATE": (1e-4, 0.1), "NOISE": (0.01, 0.5)}


def unlearning(net, retain, forget, val):
    """Train random tensors, then all tensors; the last epoch has a higher learning rate."""
    if not hasattr(net, "fc"):
        raise NotImplementedError("This method resets fc, and this network has no fc.")
    net.fc.reset_parameters()
    norms = [name for name, _ in net.named_parameters() if "bn" in name]
    others = [name for name, _ in net.named_parameters() if "bn" not in name]
    drawn_before: set[str] = set()
    for epoch in range(RANDOM_EPOCHS):
        drawn = draw(others, TRAINED_SHARE)
        if epoch > 0:
            add_noise(net, set(draw(drawn, NOISY_SHARE)) - drawn_before)
        drawn_before.update(drawn)
        train(net, retain, norms + drawn, LEARNING_RATE)
    for epoch in range(EPOCHS):
        train(net, retain, norms + others, LAST_LEARNING_RATE if epoch == EPOCHS - 1 else LEARNING_RATE)
    return net


def draw(names, share):
    """Draw this share of the names without replacement, but at least one."""
    return [names[index] for index in torch.randperm(len(names))[: max(1, round(share * len(names)))]]


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
