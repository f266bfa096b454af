"""Forget by resetting random layers, remember by imitating the original on the retain set; again and again.

Each cycle draws some layers at random, starts them anew and teaches the network the original's outputs on slightly
noisy retain examples. The forget set is never touched.

A layer may be drawn twice. Here a layer is a convolution, as batch norm has nothing random to start from; the last
layer and the shortcuts' convolutions are never drawn. Both networks see the same noise. Each cycle begins with a fresh
optimiser.

Source: the eighth of the competition's winners.
Cost: five passes over the retain set, with the original's answers just above the competition's budget.
"""

import copy

import torch
from torch import nn
from torch.nn.functional import mse_loss

CYCLE_EPOCHS = (1, 2, 2)
DRAWS = 6
INPUT_NOISE = 0.01
LEARNING_RATE = 1e-3
SCHEDULE_EPOCHS = 2
MOMENTUM = 0.9
WEIGHT_DECAY = 5e-4


def unlearning(net, retain, forget, val):
    """Cycles of forgetting and remembering."""
    original = copy.deepcopy(net).eval()
    for epochs in CYCLE_EPOCHS:
        reset_random_layers(net)
        remember(net, original, retain, epochs)
    return net


def reset_random_layers(net):
    """Start layers anew as PyTorch does by default; a few draws, with replacement."""
    convolutions = {name: module for name, module in net.named_modules() if isinstance(module, nn.Conv2d)}
    layers = [module for name, module in convolutions.items() if "downsample" not in name]
    for index in torch.randint(len(layers), (DRAWS,)):
        layers[index].reset_parameters()


def remember(net, original, retain, epochs):
    """Learn the original's outputs with a cosine schedule."""
    optimizer = torch.optim.SGD(net.parameters(), lr=LEARNING_RATE, momentum=MOMENTUM, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, SCHEDULE_EPOCHS)
    for _ in range(epochs):
        for inputs, _ in batches(retain):
            noisy = inputs + INPUT_NOISE * torch.randn_like(inputs)
            with torch.no_grad():
                wanted = original(noisy)
            optimizer.zero_grad()
            mse_loss(net(noisy), wanted).backward()
            optimizer.step()
        schedule.step()


def batches(loader):
    """The batches of a pass, without one of a single example: batch norm cannot train on it."""
    return (batch for batch in loader if len(batch[1]) > 1)
