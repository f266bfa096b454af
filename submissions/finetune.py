"""Fine-tune on the retain set at a high rate and let the rest fade.

Gradient descent on the retain set alone; what is never seen again is hoped to be overwritten. The learning
rate decides everything: too low and nothing fades, too high and accuracy goes with it.

The rate was tuned on digits. Gradients are clipped to a norm, without which so high a rate wrecks a ResNet-18; the
competition's own baseline, which suits one better, is `finetune_low_rate.py`.

Source: heuristic 2 of Triantafillou et al., "Are we making progress in unlearning?" (2024).
Cost: a pass over the retain set.
"""

import torch
from torch.nn.functional import cross_entropy
from torch.nn.utils import clip_grad_norm_

EPOCHS = 1
LEARNING_RATE = 0.5
LARGEST_GRADIENT = 0.5
MOMENTUM = 0.9
WEIGHT_DECAY = 5e-4


def unlearning(net, retain, forget, val):
    """Train on the retain set with a cosine schedule down to zero."""
    optimizer = torch.optim.SGD(net.parameters(), lr=LEARNING_RATE, momentum=MOMENTUM, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, EPOCHS * len(retain))
    for _ in range(EPOCHS):
        for inputs, targets in batches(retain):
            optimizer.zero_grad()
            cross_entropy(net(inputs), targets).backward()
            clip_grad_norm_(net.parameters(), LARGEST_GRADIENT)
            optimizer.step()
            schedule.step()
    return net


def batches(loader):
    """The batches of a pass, without one of a single example: batch norm cannot train on it."""
    return (batch for batch in loader if len(batch[1]) > 1)
