"""Make the outputs on the forget set uniform, then alternate between a contrastive loss and ordinary training.

First, one pass over the forget set pulls its outputs towards the uniform distribution. Rounds of two steps follow. The
contrastive step makes the logits of each forget example equally similar to those of all retain examples in a batch.
The repair step is one pass of ordinary training on the retain set.

The contrastive loss passes no gradient through the retain logits. As in the public code, each forget batch is paired
with one retain batch, so a contrastive step ends with the forget set. Eight rounds were about 600 steps of repair in
the competition; on digits they are 48.

Source: first place in the NeurIPS 2023 Machine Unlearning Challenge.
Cost: eight passes over the retain set in batches of 256. On a GPU they take about as long as six in batches of 64, all
of the competition's budget; where larger batches are not faster, they are a third over the budget.
"""

import torch
from torch.nn.functional import cross_entropy, kl_div, log_softmax
from torch.utils.data import DataLoader

ROUNDS = 8
BATCH_SIZE = 256
TEMPERATURE = 1.15
MOMENTUM = 0.9
UNIFORM_LEARNING_RATE = 5e-3
CONTRAST_LEARNING_RATE = 3e-4
CONTRAST_LEARNING_RATE_END = 1e-6
RETAIN_LEARNING_RATE = 4e-3
RETAIN_WEIGHT_DECAY = 1e-2

RANGES = {
    "ROUNDS": (1, 12),
    "UNIFORM_LEARNING_RATE": (1e-4, 0.1),
    "CONTRAST_LEARNING_RATE": (1e-5, 0.03),
    "RETAIN_LEARNING_RATE": (5e-4, 0.3),
}


def unlearning(net, retain, forget, val):
    """Flatten the outputs on the forget set once, then contrast and repair in rounds."""
    # Batch norm cannot train on one example.
    drop_last = len(retain.dataset) % BATCH_SIZE == 1
    retain = DataLoader(retain.dataset, batch_size=BATCH_SIZE, shuffle=True, drop_last=drop_last)
    contrasting = torch.optim.SGD(net.parameters(), lr=CONTRAST_LEARNING_RATE, momentum=MOMENTUM)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(
        contrasting, ROUNDS * len(forget), eta_min=CONTRAST_LEARNING_RATE_END
    )
    repairing = torch.optim.SGD(
        net.parameters(), lr=RETAIN_LEARNING_RATE, momentum=MOMENTUM, weight_decay=RETAIN_WEIGHT_DECAY
    )
    if len(forget.dataset) == 1:
        forget = []  # batch norm cannot train on one example
    flatten_outputs(net, forget)
    for _ in range(ROUNDS):
        for (forget_inputs, _), (retain_inputs, _) in zip(forget, retain, strict=False):
            contrasting.zero_grad()
            contrastive_loss(net, forget_inputs, retain_inputs).backward()
            contrasting.step()
            schedule.step()
        for inputs, targets in retain:
            repairing.zero_grad()
            cross_entropy(net(inputs), targets).backward()
            repairing.step()
    return net


def flatten_outputs(net, forget):
    """Pull the outputs on the forget set towards uniform, in one pass."""
    optimizer = torch.optim.SGD(net.parameters(), lr=UNIFORM_LEARNING_RATE, momentum=MOMENTUM)
    for inputs, _ in forget:
        optimizer.zero_grad()
        logits = net(inputs)
        uniform = torch.full_like(logits, 1 / logits.shape[1])
        kl_div(log_softmax(logits, dim=1), uniform, reduction="batchmean").backward()
        optimizer.step()


def contrastive_loss(net, forget_inputs, retain_inputs):
    """The mean cross-entropy between a uniform distribution and the softmax of similarities to the retain logits."""
    forget_logits = net(forget_inputs).flatten(1)
    with torch.no_grad():
        retain_logits = net(retain_inputs).flatten(1)
    return -log_softmax(forget_logits @ retain_logits.T / TEMPERATURE, dim=1).mean()
