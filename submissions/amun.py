"""Fine-tune on all examples and, for each forget example, on an adversarial example of it.

That is the nearest picture found that the original takes for another class, and this class is its label. A
model that learns it moves the decision boundary close to the forget example, as close as it is to unseen examples. The
forget examples keep their true labels.

The search climbs the loss in an L2 ball: up to 50 steps of a tenth of its radius, which starts at 0.04 and doubles
until the label flips. Radii are in units of the range of the forget set's inputs, 1 for the source's pictures. An
example whose label does not flip anywhere in that range gets none. The learning rate falls to a tenth after
each pass.

Source: AMUN of Ebrahimpour-Boroojeny et al., "Not All Wrong is Bad: Using Adversarial Examples for Unlearning" (2025).
Its public code searches the learning rate and how many passes it takes to fall; these are its defaults. On digits ten
passes are 120 steps, on CIFAR-10 about 4,300.
Cost: ten passes over all examples, and about a hundred forward and backward passes over the forget set; over the
budget.
"""

import math

import torch
from torch.nn.functional import cross_entropy
from torch.utils.data import ConcatDataset, DataLoader, TensorDataset

RADIUS = 0.04
ATTACK_STEPS = 50
STEPS_PER_RADIUS = 10
EPOCHS = 10
EPOCHS_PER_DROP = 1
DROP = 0.1
BATCH_SIZE = 128
LEARNING_RATE = 0.01
MOMENTUM = 0.9
WEIGHT_DECAY = 5e-4

RANGES = {"LEARNING_RATE": (1e-4, 0.5), "EPOCHS": (1, 10), "ATTACK_STEPS": (1, 50), "RADIUS": (0.01, 1.0)}


def unlearning(net, retain, forget, val):
    """Find the adversarial examples of the original, then train on everything."""
    if not len(forget.dataset):
        raise NotImplementedError("This method needs examples, and this task only describes what is to be forgotten.")
    inputs, targets = (torch.cat(column) for column in zip(*forget, strict=True))
    if not inputs.is_floating_point():
        raise NotImplementedError("This method changes inputs a little, and inputs of this task are tokens.")
    if targets.ndim > 1:
        raise NotImplementedError(
            "This method changes an example's class, and an example of this task has no single class."
        )
    net.eval()
    adversarial = nearest_adversarial(net, inputs, targets)
    net.train()
    examples: ConcatDataset = ConcatDataset([retain.dataset, forget.dataset, TensorDataset(*adversarial)])
    # Batch norm cannot train on one example.
    loader = DataLoader(examples, BATCH_SIZE, shuffle=True, drop_last=len(examples) % BATCH_SIZE == 1)
    optimizer = torch.optim.SGD(net.parameters(), lr=LEARNING_RATE, momentum=MOMENTUM, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, EPOCHS_PER_DROP, gamma=DROP)
    for _ in range(EPOCHS):
        for some, labels in loader:
            optimizer.zero_grad()
            cross_entropy(net(some), labels).backward()
            optimizer.step()
        schedule.step()
    return net


def nearest_adversarial(net, inputs, targets):
    """Inputs near the given ones with another predicted class, and that class. Where none is found, there is no row."""
    low, high = float(inputs.min()), float(inputs.max())
    changed, flipped = inputs.clone(), torch.zeros_like(targets, dtype=torch.bool)
    radius = RADIUS * (high - low)
    largest = (high - low) * math.sqrt(inputs[0].numel())
    while radius < 2 * largest and not flipped.all():
        for _ in range(ATTACK_STEPS):
            rows = (~flipped).nonzero().squeeze(1)
            changed[rows], flipped[rows] = climb(net, inputs[rows], changed[rows], targets[rows], radius, low, high)
            if flipped.all():
                break
        radius *= 2
    with torch.no_grad():
        return changed[flipped], net(changed[flipped]).argmax(dim=1)


def climb(net, inputs, changed, targets, radius, low, high):
    """The inputs after a step inside the ball, and whether they were misclassified before it; those do not move."""
    changed = changed.detach().requires_grad_()
    logits = net(changed)
    (gradient,) = torch.autograd.grad(cross_entropy(logits, targets, reduction="sum"), changed)
    flipped = logits.argmax(dim=1) != targets
    stepped = changed.detach() + radius / STEPS_PER_RADIUS * gradient / per_row(norm(gradient) + 1e-10, gradient)
    moved = stepped - inputs
    shrink = (radius / norm(moved).clamp(min=1e-10)).clamp(max=1)
    stepped = (inputs + moved * per_row(shrink, moved)).clamp(low, high)
    return torch.where(per_row(flipped, changed), changed.detach(), stepped), flipped


def norm(rows):
    """[B] the Euclidean length of each row."""
    return rows.flatten(1).norm(dim=1)


def per_row(values, rows):
    """[B] values, shaped to be multiplied with rows."""
    return values.view(-1, *[1] * (rows.ndim - 1))
