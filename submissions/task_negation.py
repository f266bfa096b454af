"""Subtract from the weights what fine-tuning on the forget set would add to them.

Fine-tuning a copy on the forget set moves its weights towards knowing that set better; the method moves the original's
weights the opposite way. It is approximate: nothing guarantees that the result matches retraining.

Source: Ilharco et al., Editing Models with Task Arithmetic, ICLR 2023. Its scale is chosen on validation accuracy; here
it is a constant, chosen on digits with another seed.
Cost: EPOCHS passes over the forget set.
"""

import copy

import torch
from torch import nn
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader

EPOCHS = 5
LEARNING_RATE = 0.01
SCALE = 10.0
CLIP = 1.0

RANGES = {"EPOCHS": (1, 10), "LEARNING_RATE": (1e-3, 0.1), "SCALE": (0.1, 30.0)}


def unlearning(net: nn.Module, retain: DataLoader, forget: DataLoader, val: DataLoader) -> nn.Module:
    """Fine-tune a copy on the forget set, and subtract SCALE times its change from ``net``."""
    tuned = copy.deepcopy(net)
    optimizer = torch.optim.SGD(tuned.parameters(), lr=LEARNING_RATE, momentum=0.9)
    # Statistics of batch norm stay those of all training examples.
    tuned.eval()
    for _ in range(EPOCHS):
        for inputs, targets in forget:
            optimizer.zero_grad()
            cross_entropy(tuned(inputs), targets).backward()
            nn.utils.clip_grad_norm_(tuned.parameters(), CLIP)
            optimizer.step()
    with torch.no_grad():
        for weight, changed in zip(net.parameters(), tuned.parameters(), strict=True):
            weight.sub_(SCALE * (changed - weight))
    return net
