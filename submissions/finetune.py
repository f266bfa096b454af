"""Fine-tune on the retain set at a high learning rate.

Nothing refreshes what the model knows about the forget set, so it fades. The learning rate decides how much: if it is
too low, nothing fades; if it is too high, accuracy drops.

The learning rate was tuned on digits. Gradients are clipped by norm, because a rate this high would otherwise wreck a
ResNet-18. The competition's own baseline, `finetune_low_rate.py`, suits a ResNet-18 better.

Source: heuristic 2 of Triantafillou et al., "Are we making progress in unlearning?" (2024).
Cost: one pass over the retain set.
"""

import torch
from torch.nn.functional import cross_entropy
from torch.nn.utils import clip_grad_norm_

EPOCHS = 1
LEARNING_RATE = 0.5
MAX_GRADIENT_NORM = 0.5
MOMENTUM = 0.9
WEIGHT_DECAY = 5e-4

RANGES = {"EPOCHS": (1, 6), "LEARNING_RATE": (1e-3, 1.0), "MAX_GRADIENT_NORM": (0.1, 5.0)}


def unlearning(net, retain, forget, val):
    """Train on the retain set with a cosine schedule down to zero."""
    optimizer = torch.optim.SGD(net.parameters(), lr=LEARNING_RATE, momentum=MOMENTUM, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, EPOCHS * len(retain))
    for _ in range(EPOCHS):
        for inputs, targets in retain:
            optimizer.zero_grad()
            cross_entropy(net(inputs), targets).backward()
            clip_grad_norm_(net.parameters(), MAX_GRADIENT_NORM)
            optimizer.step()
            schedule.step()
    return net
