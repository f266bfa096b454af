"""Prune nearly everything, refill it at random, and learn again to be as sure as the original was.

Of all weights and biases of convolutions and linear layers together, the hundredth that is largest survives, and
batch norm. The other weights are drawn as PyTorch draws them for a new network; pruned biases stay zero. Fine-tuning
matches not the original's answers but their entropy: how sure the original is of an example, not of what.

At the end all weights are rounded to half precision and back: the winning models were saved so, and judged so. Batch
norm's statistics keep theirs, as they may lie beyond the range of half precision.

Source: the fourth of the competition's winners.
Cost: 3.2 passes over the retain set, with the original's answers about two thirds of the competition's budget; and a
look at its labels.
"""

import copy

import torch
from torch import nn
from torch.nn.functional import cross_entropy, log_softmax, mse_loss

PASSES = 3.2
SHARE = 0.99
LEARNING_RATE = 5e-4
MOMENTUM = 0.9
WEIGHT_DECAY = 5e-4
CLASS_WEIGHT_POWER = -0.1


def unlearning(net, retain, forget, val):
    """Prune, refill, fine-tune at a constant rate, round."""
    original = copy.deepcopy(net).eval()
    weight_of_class = count_classes(retain) ** CLASS_WEIGHT_POWER
    prune(net)
    refill(net)
    optimizer = torch.optim.SGD(net.parameters(), lr=LEARNING_RATE, momentum=MOMENTUM, weight_decay=WEIGHT_DECAY)
    for inputs, targets in passes(retain):
        with torch.no_grad():
            wanted = entropy(original(inputs))
        optimizer.zero_grad()
        logits, weights = net(inputs), weight_of_class[targets]
        loss = (weights * cross_entropy(logits, targets, reduction="none")).sum() / weights.sum()
        (loss + mse_loss(entropy(logits), wanted)).backward()
        optimizer.step()
    round_to_half(net)
    return net


def count_classes(loader):
    """How many examples each class has."""
    return torch.cat([targets for _, targets in loader]).bincount()


def passes(loader):
    """Batches of as many passes as it takes, without those of a single example: batch norm cannot train on it."""
    steps = int(PASSES * len(loader))
    while steps > 0:
        for batch, _ in zip(loader, range(steps), strict=False):
            steps -= 1
            if len(batch[1]) > 1:
                yield batch


def layers(net):
    """All convolutions and linear layers of a network."""
    return [module for module in net.modules() if isinstance(module, (nn.Conv2d, nn.Linear))]


@torch.no_grad()
def prune(net):
    """Zero the share of all the layers' weights and biases that has the smallest absolute values."""
    tensors = [tensor for module in layers(net) for tensor in module.parameters()]
    everywhere = torch.cat([tensor.abs().flatten() for tensor in tensors])
    threshold = everywhere.kthvalue(max(1, round(SHARE * len(everywhere)))).values
    for tensor in tensors:
        tensor[tensor.abs() <= threshold] = 0


@torch.no_grad()
def refill(net):
    """Draw all weights that are zero uniformly within one over the square root of the layer's inputs."""
    for module in layers(net):
        bound = module.weight[0].numel() ** -0.5
        fresh = torch.empty_like(module.weight).uniform_(-bound, bound)
        module.weight.copy_(torch.where(module.weight == 0, fresh, module.weight))


def entropy(logits):
    """The entropy of each answer."""
    log_probabilities = log_softmax(logits, dim=1)
    return -(log_probabilities.exp() * log_probabilities).sum(dim=1)


@torch.no_grad()
def round_to_half(net):
    """Keep of each weight what half precision would."""
    for tensor in net.parameters():
        tensor.copy_(tensor.half())
