"""Decrease the loss on the retain set and increase it on the forget set, in the same steps.

This is gradient ascent with a safeguard: 95% of the weight is on the retain set, so accuracy stays while the forget
examples become unlikely. Each retain batch is paired with the next forget batch; the forget set starts over as often
as necessary.

Source: NegGrad+ of Kurmanji et al., "Towards Unbounded Machine Unlearning" (2023); three epochs instead of ten.
Cost: three passes over the retain set and as many batches of forget examples; at most the time of six passes, all of
the competition's budget.
"""

import torch
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader

RETAIN_SHARE = 0.95
EPOCHS = 3
BATCH_SIZE = 256
LEARNING_RATE = 0.01
MOMENTUM = 0.9
WEIGHT_DECAY = 5e-4


def unlearning(net, retain, forget, val):
    """Minimise the weighted difference of the two losses, at a constant learning rate."""
    # Batch norm cannot train on one example.
    drop_last = len(retain.dataset) % BATCH_SIZE == 1
    retain = DataLoader(retain.dataset, batch_size=BATCH_SIZE, shuffle=True, drop_last=drop_last)
    forget = DataLoader(forget.dataset, batch_size=BATCH_SIZE, shuffle=True)
    optimizer = torch.optim.SGD(net.parameters(), lr=LEARNING_RATE, momentum=MOMENTUM, weight_decay=WEIGHT_DECAY)
    for _ in range(EPOCHS):
        for (inputs, targets), (forget_inputs, forget_targets) in zip(retain, endless(forget), strict=False):
            optimizer.zero_grad()
            loss = RETAIN_SHARE * cross_entropy(net(inputs), targets)
            # Dropped here and not by the loader, which would have no batch left if there is one example to forget.
            if len(forget_targets) > 1:
                loss = loss - (1 - RETAIN_SHARE) * cross_entropy(net(forget_inputs), forget_targets)
            loss.backward()
            optimizer.step()
    return net


def endless(loader):
    """The batches of pass after pass, each in a new order."""
    while True:
        yield from loader
