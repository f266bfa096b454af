"""Reset random layers, then distil the original on the retain set; repeat.

Each cycle draws some layers at random, resets them, and teaches the network the original's outputs on retain examples
with a little noise. The forget set is never used.

Layers are drawn with replacement. Only convolutions are drawn, because the initialisation of batch norm is not random;
the classifier and the convolutions of the shortcuts are excluded. Both networks receive the same noisy inputs. Each
cycle starts with a new optimizer.

Source: eighth place in the NeurIPS 2023 Machine Unlearning Challenge.
Cost: five passes over the retain set; with the original's outputs slightly over the competition's budget.
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
    """Alternate between resetting layers and distilling the original."""
    original = copy.deepcopy(net).eval()
    for epochs in CYCLE_EPOCHS:
        reset_random_layers(net)
        distil(net, original, retain, epochs)
    return net


def reset_random_layers(net):
    """Reset convolutions drawn with replacement to PyTorch's default initialisation."""
    convolutions = {name: module for name, module in net.named_modules() if isinstance(module, nn.Conv2d)}
    layers = [module for name, module in convolutions.items() if "downsample" not in name]
    if not layers:
        raise NotImplementedError("This method resets convolutions (Conv2d), and this network has none.")
    for index in torch.randint(len(layers), (DRAWS,)):
        layers[index].reset_parameters()


def distil(net, original, retain, epochs):
    """Learn the original's logits with a cosine schedule."""
    optimizer = torch.optim.SGD(net.parameters(), lr=LEARNING_RATE, momentum=MOMENTUM, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, SCHEDULE_EPOCHS)
    for _ in range(epochs):
        for inputs, _ in retain:
            noisy = inputs + INPUT_NOISE * torch.randn_like(inputs)
            with torch.no_grad():
                wanted = original(noisy)
            optimizer.zero_grad()
            mse_loss(net(noisy), wanted).backward()
            optimizer.step()
        schedule.step()
