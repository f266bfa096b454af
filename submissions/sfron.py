"""Fine-tune on the retain set, with occasional ascents on the forget set in the weights that matter more to it.

The mask is found once: the weights whose mean squared gradient on the forget set is at least that on the retain set.
Before every fifth step, one step ascends the loss of a forget batch. Examples with a low loss count more: each is
weighted by its loss to the power of minus one half. The gradients are masked and clipped. As in the public code,
momentum and weight decay reach all weights.

A loss counts as at least SMALLEST_LOSS. In the public code an example whose loss is rounded to 0 outweighs all others,
and as its gradient is 0 too, the step goes nowhere; on digits this happens.

The source takes 1,500 steps: 4.3 passes over the retain set if a tenth of CIFAR-10 is forgotten. Here the passes are
kept, not the steps. On digits they are 47 steps and 10 ascents; 1,500 steps would take longer than retraining.

Source: SFR-on of Huang et al., "Unified Gradient-Based Machine Unlearning with Remain Geometry Enhancement" (2024),
with the constants of its public code for CIFAR-10. Its average of old and new weights does nothing at its coefficient
of 1 and is left out.
Cost: 5.3 passes over the retain set and one forget batch in five steps, about all of the competition's budget.
"""

import math

import torch
from torch.nn.functional import cross_entropy
from torch.nn.utils import clip_grad_norm_
from torch.utils.data import DataLoader

PASSES = 4.3
BATCH_SIZE = 128
STEPS_PER_ASCENT = 5
ASCENT_WEIGHT = 25.0
LOSS_EXPONENT = 0.5
SMALLEST_LOSS = 1e-7
MASK_RATIO = 1.0
MAX_GRADIENT_NORM = 7.0
LEARNING_RATE = 0.01
MOMENTUM = 0.9
WEIGHT_DECAY = 5e-4
TINY = 1e-15

RANGES = {
    "LEARNING_RATE": (1e-3, 0.3),
    "PASSES": (0.2, 5.0),
    "ASCENT_WEIGHT": (0.1, 100.0),
    "STEPS_PER_ASCENT": (1, 20),
}

NOT_ASKED = -100
"""Where a sequence of targets has no class."""


def unlearning(net, retain, forget, val):
    """Descend on retain batches, with masked ascents in between; both follow a cosine."""
    if not len(forget.dataset):
        raise NotImplementedError("This method needs examples, and this task only describes what is to be forgotten.")
    # Batch norm cannot train on one example.
    drop_last = len(retain.dataset) % BATCH_SIZE == 1
    retain = DataLoader(retain.dataset, BATCH_SIZE, shuffle=True, drop_last=drop_last)
    forget = DataLoader(forget.dataset, BATCH_SIZE, shuffle=True)
    masks = find_masks(net, retain, forget)
    steps = max(1, round(PASSES * len(retain)))
    optimizer = torch.optim.SGD(net.parameters(), lr=LEARNING_RATE, momentum=MOMENTUM, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    forget_batches = endless(forget)
    for step, (inputs, targets) in zip(range(steps), endless(retain), strict=False):
        if step % STEPS_PER_ASCENT == 0:
            weight = ASCENT_WEIGHT * (1 + math.cos(math.pi * step / steps)) / 2
            ascend(net, optimizer, next(forget_batches), weight, masks)
        optimizer.zero_grad()
        cross_entropy(net(inputs), targets).backward()
        optimizer.step()
        schedule.step()
    return net


def find_masks(net, retain, forget):
    """For each weight tensor, where the forget set's squared gradients are not smaller than the retain set's."""
    net.eval()
    on_forget, on_retain = squared_gradients(net, forget), squared_gradients(net, retain)
    net.train()
    pairs = zip(on_forget, on_retain, strict=True)
    return [(forgotten + TINY) / (kept + TINY) >= MASK_RATIO for forgotten, kept in pairs]


def squared_gradients(net, loader):
    """For each weight tensor, the mean over batches of the squared gradient of the batch's loss."""
    sums = [torch.zeros_like(weight) for weight in net.parameters()]
    for inputs, targets in loader:
        net.zero_grad()
        cross_entropy(net(inputs), targets).backward()
        for total, weight in zip(sums, net.parameters(), strict=True):
            if weight.grad is not None:
                total += weight.grad**2
    net.zero_grad()
    return [total / len(loader) for total in sums]


def ascend(net, optimizer, batch, weight, masks):
    """One step up the adaptive loss, in the masked weights."""
    inputs, targets = batch
    net.train(len(targets) > 1)  # batch norm cannot train on one example
    optimizer.zero_grad()
    (-weight * adaptive_loss(net(inputs), targets)).backward()
    net.train()
    for parameter, mask in zip(net.parameters(), masks, strict=True):
        if parameter.grad is not None:
            parameter.grad.mul_(mask)
    clip_grad_norm_(net.parameters(), MAX_GRADIENT_NORM)
    optimizer.step()


def adaptive_loss(logits, targets):
    """The mean of the examples' losses, each weighted by its own value to a negative power."""
    losses = cross_entropy(logits, targets, reduction="none").reshape(len(targets), -1)
    losses = losses.sum(dim=1) / (targets != NOT_ASKED).reshape(len(targets), -1).sum(dim=1)
    emphasis = losses.detach().clamp(min=SMALLEST_LOSS) ** -LOSS_EXPONENT
    return (emphasis / emphasis.sum() * losses).sum()


def endless(loader):
    """The batches of pass after pass, each in a new order."""
    while True:
        yield from loader
