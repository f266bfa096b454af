"""First make the answers on the forget set uniform, then push them away from the retain set and repair, in turns.

A pass over the forget set pulls its outputs towards the uniform distribution. Then come rounds of two halves: a
contrastive loss on the logits, whose softmax runs over a batch of retain examples and which spreads the forget
examples evenly among them, and a pass of ordinary training on the retain set.

The retain side of the contrast passes no gradient on. A batch of forget examples meets one batch of retain examples,
as in the public code, so a contrastive half is as short as the forget set.

Source: the first of the competition's winners.
Cost: eight passes over the retain set in batches of 256, which on a GPU take about the time of six in batches of 64:
all of the competition's budget. Where larger batches are no faster, it is a third over it.
"""

import torch
from torch.nn.functional import cross_entropy, kl_div, log_softmax
from torch.utils.data import DataLoader

ROUNDS = 8
RETAIN_BATCH_SIZE = 256
TEMPERATURE = 1.15
MOMENTUM = 0.9
UNIFORM_LEARNING_RATE = 5e-3
CONTRAST_LEARNING_RATE = 3e-4
CONTRAST_LEARNING_RATE_END = 1e-6
RETAIN_LEARNING_RATE = 4e-3
RETAIN_WEIGHT_DECAY = 1e-2


def unlearning(net, retain, forget, val):
    """Flatten the outputs on the forget set once; then contrast and repair, round by round."""
    flatten_outputs(net, forget)
    retain = DataLoader(retain.dataset, batch_size=RETAIN_BATCH_SIZE, shuffle=True)
    forgetting = torch.optim.SGD(net.parameters(), lr=CONTRAST_LEARNING_RATE, momentum=MOMENTUM)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(
        forgetting, ROUNDS * len(forget), eta_min=CONTRAST_LEARNING_RATE_END
    )
    repairing = torch.optim.SGD(
        net.parameters(), lr=RETAIN_LEARNING_RATE, momentum=MOMENTUM, weight_decay=RETAIN_WEIGHT_DECAY
    )
    for _ in range(ROUNDS):
        for (forget_inputs, _), (retain_inputs, _) in zip(batches(forget), batches(retain), strict=False):
            forgetting.zero_grad()
            contrastive_loss(net, forget_inputs, retain_inputs).backward()
            forgetting.step()
            schedule.step()
        for inputs, targets in batches(retain):
            repairing.zero_grad()
            cross_entropy(net(inputs), targets).backward()
            repairing.step()
    return net


def flatten_outputs(net, forget):
    """A pass over the forget set towards uniform answers."""
    optimizer = torch.optim.SGD(net.parameters(), lr=UNIFORM_LEARNING_RATE, momentum=MOMENTUM)
    for inputs, _ in batches(forget):
        optimizer.zero_grad()
        logits = net(inputs)
        uniform = torch.full_like(logits, 1 / logits.shape[1])
        kl_div(log_softmax(logits, dim=1), uniform, reduction="batchmean").backward()
        optimizer.step()


def contrastive_loss(net, forget_inputs, retain_inputs):
    """How unevenly the logits of forget examples are similar to those of retain examples."""
    forget_logits = net(forget_inputs)
    with torch.no_grad():
        retain_logits = net(retain_inputs)
    return -log_softmax(forget_logits @ retain_logits.T / TEMPERATURE, dim=1).mean()


def batches(loader):
    """The batches of a pass, without one of a single example: batch norm cannot train on it."""
    return (batch for batch in loader if len(batch[1]) > 1)
