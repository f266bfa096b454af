"""Decrease the loss on the retain set and increase it on the forget set, in the same steps.

This is gradient ascent with a safeguard: 95% of the weight is on the retain set, so accuracy stays while the forget
examples become unlikely. Each retain batch is paired with the next forget batch; both sets start over as often as
necessary.

At first nothing happens: the loss on a forget set that the model knows has hardly any gradient, and it takes many steps
until the ascent has one to follow. So steps are counted, not epochs.

Source: NegGrad+ of Kurmanji et al., "Towards Unbounded Machine Unlearning" (2023). No single setting of the source
fits: weight and learning rate are those of its small-scale experiments, batch sizes and batch norm in training mode
those of its experiments on membership attacks, whose weight on the forget set is a five-hundredth of this one. The
small-scale experiments also fix batch norm and pull the weights towards the original's. Both take thousands of steps
without momentum, which on digits would exceed the kit's time limit. Momentum makes each of 250 steps count for about
ten.
Cost: 250 steps on a batch of each set, several times the budget on a small task, within it on 20,000 pictures.
"""

import torch
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader

RETAIN_SHARE = 0.95
STEPS = 250
RETAIN_BATCH_SIZE = 32
FORGET_BATCH_SIZE = 16
LEARNING_RATE = 0.01
MOMENTUM = 0.9

RANGES = {"STEPS": (20, 300), "LEARNING_RATE": (1e-3, 0.3), "RETAIN_SHARE": (0.7, 0.999)}


def unlearning(net, retain, forget, val):
    """Minimise the weighted difference of the two losses, at a constant learning rate."""
    optimizer = torch.optim.SGD(net.parameters(), lr=LEARNING_RATE, momentum=MOMENTUM)
    to_keep, to_forget = endless(retain, RETAIN_BATCH_SIZE), endless(forget, FORGET_BATCH_SIZE)
    for _, known, gone in zip(range(STEPS), to_keep, to_forget, strict=False):
        optimizer.zero_grad()
        loss = RETAIN_SHARE * cross_entropy(net(known[0]), known[1])
        if len(forget.dataset) > 1:  # batch norm cannot train on one example
            loss = loss - (1 - RETAIN_SHARE) * cross_entropy(net(gone[0]), gone[1])
        loss.backward()
        optimizer.step()
    return net


def endless(loader, size):
    """Batches of this size, pass after pass."""
    examples = loader.dataset
    if not len(loader):
        raise NotImplementedError("This method needs examples, and this task only describes what is to be forgotten.")
    # Batch norm cannot train on one example.
    batches = DataLoader(examples, size, shuffle=True, drop_last=len(examples) > 1 and len(examples) % size == 1)
    while True:
        yield from batches
