"""Move away from the original's outputs on the forget set and stay close to them on the retain set.

The original is the teacher. In each of the first three epochs, a pass over the forget set increases the divergence
from the teacher's outputs. In every epoch, a pass over the retain set decreases it again, and learns the true labels
as well.

The public code runs several settings. The constants here are those of its small-scale experiments, which use Adam,
with three changes: five epochs instead of ten, a constant learning rate instead of a falling one, and a weight decay
of 5e-4 instead of 0.1, which is too strong for the number of steps on larger sets.

Source: SCRUB of Kurmanji et al., "Towards Unbounded Machine Unlearning" (2023).
Cost: five passes over the retain set and three over the forget set; with the teacher's outputs slightly over the
competition's budget.
"""

import copy

import torch
from torch.nn.functional import cross_entropy, kl_div, log_softmax, softmax

EPOCHS = 5
FORGET_EPOCHS = 3
LEARNING_RATE = 5e-4
WEIGHT_DECAY = 5e-4
TEMPERATURE = 2
TEACHER_WEIGHT = 0.5
LABEL_WEIGHT = 1


def unlearning(net, retain, forget, val):
    """Alternate between the two sets, then train on the retain set alone."""
    teacher = copy.deepcopy(net).eval()
    optimizer = torch.optim.Adam(net.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    for epoch in range(EPOCHS):
        if epoch < FORGET_EPOCHS and len(forget.dataset) > 1:  # batch norm cannot train on one example
            for inputs, _ in forget:
                optimizer.zero_grad()
                (-divergence(net(inputs), teacher, inputs)).backward()
                optimizer.step()
        for inputs, targets in retain:
            optimizer.zero_grad()
            logits = net(inputs)
            distillation = TEACHER_WEIGHT * divergence(logits, teacher, inputs)
            (LABEL_WEIGHT * cross_entropy(logits, targets) + distillation).backward()
            optimizer.step()
    return net


def divergence(logits, teacher, inputs):
    """The Kullback-Leibler divergence from the teacher, both softened, times the squared temperature."""
    with torch.no_grad():
        wanted = softmax(teacher(inputs) / TEMPERATURE, dim=1)
    return TEMPERATURE**2 * kl_div(log_softmax(logits / TEMPERATURE, dim=1), wanted, reduction="batchmean")
