"""Add noise to every weight: the less the retain set needs a weight, the more noise.

How much the retain set needs a weight is its Fisher information: the expected squared gradient of the loss for a label
that the model itself draws. The noise has the variance ALPHA / Fisher, with the limits and factors of the public code.
1 / Fisher is at most LARGEST, or LARGEST_IN_HEAD in the last layer, which is recognised by its size. It is then
averaged over the input channels. One-dimensional tensors and the last layer receive HEAD_FACTOR times the variance.

The public code takes the exact expectation over all classes, one backward pass for each. Here each batch draws one
class, with the mean probability that the model gives it: the same expectation, for a single backward pass. The code's
default ALPHA of 0.2 destroys the network; a public script that uses this code searches from 2e-8 to 3e-8.

Source: Fisher forgetting of Golatkar et al., "Eternal Sunshine of the Spotless Net" (2020), as in the public code of
Jia et al., "Model Sparsity Can Simplify Machine Unlearning" (2023).
Cost: one pass over the retain set.
"""

import torch
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader

ALPHA = 2.5e-8
BATCH_SIZE = 32
LARGEST = 1e3
LARGEST_IN_HEAD = 1e2
HEAD_FACTOR = 10.0
TINY = 1e-8

RANGES = {"ALPHA": (1e-9, 1e-4), "HEAD_FACTOR": (1.0, 100.0), "BATCH_SIZE": (16, 64)}

NOT_ASKED = -100
"""Where a sequence of targets has no class."""


def unlearning(net, retain, forget, val):
    """Measure the Fisher information, then add noise once."""
    net.eval()
    information, classes = fisher(net, retain.dataset)
    with torch.no_grad():
        for weight, of_weight in zip(net.parameters(), information, strict=True):
            weight.add_(variance(of_weight, classes).sqrt() * torch.randn_like(weight))
    return net


def fisher(net, examples):
    """The Fisher information of each weight tensor, and the number of classes."""
    loader = DataLoader(examples, batch_size=BATCH_SIZE, shuffle=True)
    sums = [torch.zeros_like(weight) for weight in net.parameters()]
    for inputs, targets in loader:
        net.zero_grad()
        logits = net(inputs)
        cross_entropy(logits, drawn_labels(logits, targets)).backward()
        for total, weight in zip(sums, net.parameters(), strict=True):
            if weight.grad is not None:
                total += weight.grad**2
    net.zero_grad()
    return [total / len(loader) for total in sums], logits.shape[1]


@torch.no_grad()
def drawn_labels(logits, targets):
    """One class for the whole batch, drawn with its mean probability, wherever a class is asked for."""
    asked = targets != NOT_ASKED
    drawn = torch.multinomial(logits.softmax(dim=1).movedim(1, -1)[asked].mean(dim=0), 1)
    return torch.where(asked, drawn, targets)


def variance(information, classes):
    """The variance of the noise on the weights of one tensor."""
    in_head = information.shape[0] == classes
    inverse = (1 / (information + TINY)).clamp(max=LARGEST_IN_HEAD if in_head else LARGEST)
    if information.ndim > 1:
        inverse = inverse.mean(dim=1, keepdim=True).expand_as(information)
    return ALPHA * inverse * (HEAD_FACTOR if in_head or information.ndim == 1 else 1)
