"""Imitate the original on the retain set and a randomly initialised network on the forget set.

Both networks are teachers. Retain and forget examples are shuffled together, and the model learns the outputs of the
good teacher on the former and of the bad one on the latter. A part of the retain set is enough to preserve accuracy.

The bad teacher is initialised as the network itself is: layers reset themselves, and the convolutions of torchvision's
ResNet are then drawn again as that network draws them. PyTorch's defaults would make it answer almost the same to every
picture.

Source: Chundawat et al., "Can Bad Teaching Induce Forgetting?" (2023), with the constants of its public notebook. An
epoch of its CIFAR-100 takes 60 steps, one of digits two, so steps are counted, not epochs.
Cost: 60 steps on batches of 256 with the outputs of two teachers, many times the budget on a small task, within it on
20,000 pictures.
"""

import copy

import torch
from torch import nn
from torch.nn.functional import kl_div, log_softmax, softmax
from torch.utils.data import DataLoader, RandomSampler, TensorDataset
from torchvision.models import ResNet

STEPS = 60
RETAIN_SHARE = 0.3
BATCH_SIZE = 256
LEARNING_RATE = 1e-4
TEMPERATURE = 1

RANGES = {"STEPS": (2, 60), "LEARNING_RATE": (3e-5, 1e-2), "RETAIN_SHARE": (0.1, 1.0), "BATCH_SIZE": (32, 256)}


def unlearning(net, retain, forget, val):
    """Learn from both teachers at once."""
    good, bad = copy.deepcopy(net).eval(), copy.deepcopy(net).eval()
    reset(bad)
    optimizer = torch.optim.Adam(net.parameters(), lr=LEARNING_RATE)
    for _, (inputs, is_forgotten) in zip(range(STEPS), endless(mixed(retain, forget)), strict=False):
        with torch.no_grad():
            wanted = softmax(good(inputs) / TEMPERATURE, dim=1)
            if is_forgotten.any():
                wanted[is_forgotten] = softmax(bad(inputs[is_forgotten]) / TEMPERATURE, dim=1)
        optimizer.zero_grad()
        kl_div(log_softmax(net(inputs) / TEMPERATURE, dim=1), wanted, reduction="batchmean").backward()
        optimizer.step()
    return net


def reset(net):
    """Initialise every layer anew, as the network itself does."""
    net.apply(reset_layer)
    if isinstance(net, ResNet):
        for module in net.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")


def reset_layer(module):
    """Initialise one layer anew by its own method."""
    if hasattr(module, "reset_parameters"):
        module.reset_parameters()
    elif next(module.parameters(recurse=False), None) is not None:
        kind = type(module).__name__
        raise NotImplementedError(
            f"This method resets all layers, and {kind} in this network has no reset_parameters()."
        )


def mixed(retain, forget):
    """A loader of the forget set and a random part of the retain set: inputs, and whether each is to be forgotten."""
    sampler = RandomSampler(retain.dataset, num_samples=max(2, round(RETAIN_SHARE * len(retain.dataset))))
    to_keep = [inputs for inputs, _ in DataLoader(retain.dataset, BATCH_SIZE, sampler=sampler)]
    inputs = torch.cat([*to_keep, *(inputs for inputs, _ in forget)])
    is_forgotten = torch.arange(len(inputs), device=inputs.device) >= len(sampler)
    # Batch norm cannot train on one example.
    drop_last = len(inputs) % BATCH_SIZE == 1
    return DataLoader(TensorDataset(inputs, is_forgotten), BATCH_SIZE, shuffle=True, drop_last=drop_last)


def endless(loader):
    """Batch after batch, pass after pass."""
    while True:
        yield from loader
