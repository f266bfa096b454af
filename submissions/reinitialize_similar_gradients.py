"""Re-initialise the weights that retain and forget set pull the same way, then fine-tune on retain.

The gradient of the loss on some retain examples, less that on as many forget examples, is small where the two
sets agree about a weight. A share of the convolution weights with the smallest difference starts anew, and
what they knew of both sets has to be learned again, from the retain set alone. The weights that were kept move
slowly meanwhile.

The share is taken of each layer, as in the public code; the description says of all layers together. Of the 3x3
kernels in a ResNet-18's last stage most weights never reach an output on pictures of 32x32: their gradients are zero,
so they alone are drawn anew there, and those kernels keep what they knew.

Source: heuristic 4 of Triantafillou et al., "Are we making progress in unlearning?" (2024); the second of the
competition's winners.
Cost: five passes over the retain set, five sixths of the competition's budget; and one over the forget set and as
many retain examples.
"""

import torch
from torch import nn
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, RandomSampler

SHARE = 0.3
LEARNING_RATE = 1e-3
EPOCH_FACTORS = (1 / 3, 2 / 3, 1, 2 / 3, 1 / 3)
KEPT_GRADIENT_FACTOR = 0.1
MOMENTUM = 0.9
WEIGHT_DECAY = 5e-4


def unlearning(net, retain, forget, val):
    """Start the most agreed-on convolution weights anew; fine-tune, first faster and faster, then slower."""
    factors = reinitialize(net, gradient_differences(net, retain, forget))
    optimizer = torch.optim.SGD(net.parameters(), lr=LEARNING_RATE, momentum=MOMENTUM, weight_decay=WEIGHT_DECAY)
    for epoch_factor in EPOCH_FACTORS:
        optimizer.param_groups[0]["lr"] = LEARNING_RATE * epoch_factor
        for inputs, targets in batches(retain):
            optimizer.zero_grad()
            cross_entropy(net(inputs), targets).backward()
            for module, factor in zip(convolutions(net), factors, strict=True):
                module.weight.grad *= factor
            optimizer.step()
    return net


def convolutions(net):
    """All convolutions of a network."""
    return [module for module in net.modules() if isinstance(module, nn.Conv2d)]


def gradient_differences(net, retain, forget):
    """For each convolution the absolute gradient on a random part of retain less that on forget."""
    as_many = RandomSampler(retain.dataset, num_samples=len(forget.dataset))
    part_of_retain = DataLoader(retain.dataset, batch_size=forget.batch_size, sampler=as_many)
    net.eval()
    net.zero_grad()
    for loader, sign in ((part_of_retain, 1), (forget, -1)):
        for inputs, targets in loader:
            (sign * cross_entropy(net(inputs), targets)).backward()
    net.train()
    differences = [module.weight.grad.abs() for module in convolutions(net)]
    net.zero_grad()
    return differences


@torch.no_grad()
def reinitialize(net, differences):
    """Draw the weights with the smallest differences from He's distribution; what to multiply all gradients with."""
    factors = []
    for module, difference in zip(convolutions(net), differences, strict=True):
        chosen = torch.zeros_like(difference, dtype=torch.bool)
        smallest = difference.flatten().topk(round(SHARE * difference.numel()), largest=False).indices
        chosen.view(-1)[smallest] = True
        fresh = nn.init.kaiming_normal_(torch.empty_like(module.weight), mode="fan_out", nonlinearity="relu")
        module.weight.copy_(torch.where(chosen, fresh, module.weight))
        factors.append(torch.where(chosen, 1.0, KEPT_GRADIENT_FACTOR))
    return factors


def batches(loader):
    """The batches of a pass, without one of a single example: batch norm cannot train on it."""
    return (batch for batch in loader if len(batch[1]) > 1)
