"""Reset random layers, then distil the original on the retain set; repeat.

Each cycle draws some layers at random, resets them, and teaches the network the original's outputs on retain examples
with a little noise. The forget set is never used.

Layers are drawn with replacement. Only convolutions are drawn, because the initialisation of batch norm is not random;
the classifier and the convolutions of the shortcuts are excluded. The winner drew six times from the 17 such layers of
a ResNet-18; on other networks, draws are in proportion. Both networks receive the same noisy inputs. Each cycle starts
with a new optimizer. Five epochs were about 1,500 steps in the competition; on digits they are 105.

Source: eighth place in the NeurIPS 2023 Machine Unlearning Challenge.
Cost: five passes over the retain set; with the original's outputs slightly over the competition's budget.
"""

import copy

import torch
from torch import nn
from torch.nn.functional import mse_loss

CYCLES = 3
FIRST_EPOCHS = 1
EPOCHS = 2
DRAWN_SHARE = 0.35
INPUT_NOISE = 0.01
LEARNING_RATE = 1e-3
MOMENTUM = 0.9
WEIGHT_DECAY = 5e-4

RANGES = {"CYCLES": (1, 4), "EPOCHS": (1, 4), "DRAWN_SHARE": (0.05, 0.6), "LEARNING_RATE": (1e-4, 0.3)}


def unlearning(net, retain, forget, val):
    """Alternate between resetting layers and distilling the original."""
    original = copy.deepcopy(net).eval()
    for cycle in range(CYCLES):
        reset_random_layers(net)
        distil(net, original, retain, EPOCHS if cycle else FIRST_EPOCHS)
    return net


def reset_random_layers(net):
    """Reset convolutions drawn with replacement to PyTorch's default initialisation."""
    convolutions = {name: module for name, module in net.named_modules() if isinstance(module, nn.Conv2d)}
    layers = [module for name, module in convolutions.items() if "downsample" not in name]
    if not layers:
        raise NotImplementedError("This method resets convolutions (Conv2d), and this network has none.")
    for index in torch.randint(len(layers), (max(1, round(DRAWN_SHARE * len(layers))),)):
        layers[index].reset_parameters()


def distil(net, original, retain, epochs):
    """Learn the original's logits with a cosine schedule."""
    optimizer = torch.optim.SGD(net.parameters(), lr=LEARNING_RATE, momentum=MOMENTUM, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, EPOCHS)
    for _ in range(epochs):
        for inputs, _ in retain:
            noisy = inputs + INPUT_NOISE * torch.randn_like(inputs)
            with torch.no_grad():
                wanted = original(noisy)
            optimizer.zero_grad()
            mse_loss(net(noisy), wanted).backward()
            optimizer.step()
        schedule.step()
