"""Dampen the weights that matter much more to the forget set than to all training examples.

A weight's importance to a set is the mean over its batches of the squared gradient of the batch's loss. Where the
importance to the forget set exceeds SELECTION times that to all examples, the weight is multiplied by DAMPENING times
its importance to all examples over that to the forget set, at most by 1. Nothing is trained.

Only the way examples fall into batches is random. If all of them fit into one, the resulting models are equal. On
digits the published constants dampen so many weights that accuracy is lost.

Source: selective synaptic dampening of Foster et al., "Fast Machine Unlearning Without Retraining Through Selective
Synaptic Dampening" (2024), with the constants of its public code for a ResNet-18 and random forgetting.
Cost: one pass over the retain set and two over the forget set.
"""

import torch
from torch.nn.functional import cross_entropy
from torch.utils.data import ConcatDataset, DataLoader

SELECTION = 10.0
DAMPENING = 1.0
BATCH_SIZE = 128

RANGES = {"SELECTION": (1.0, 50.0), "DAMPENING": (0.1, 1.0), "BATCH_SIZE": (16, 256)}


def unlearning(net, retain, forget, val):
    """Find the importances, then dampen."""
    if not len(forget.dataset):
        raise NotImplementedError("This method needs examples, and this task only describes what is to be forgotten.")
    net.eval()
    to_all = importances(net, ConcatDataset([retain.dataset, forget.dataset]))
    dampen(net, importances(net, forget.dataset), to_all)
    return net


def importances(net, examples):
    """For each weight tensor, the mean of its squared gradients over shuffled batches."""
    loader = DataLoader(examples, batch_size=BATCH_SIZE, shuffle=True)
    sums = [torch.zeros_like(weight) for weight in net.parameters()]
    for inputs, targets in loader:
        net.zero_grad()
        cross_entropy(net(inputs), targets).backward()
        for total, weight in zip(sums, net.parameters(), strict=True):
            if weight.grad is not None:
                total += weight.grad**2
    net.zero_grad()
    return [total / len(loader) for total in sums]


@torch.no_grad()
def dampen(net, to_forget, to_all):
    """Scale down each weight that is selected."""
    for weight, forget, everything in zip(net.parameters(), to_forget, to_all, strict=True):
        factor = (DAMPENING * everything / forget).clamp(max=1)
        weight.copy_(torch.where(forget > SELECTION * everything, factor * weight, weight))
