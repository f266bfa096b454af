"""Disobey the original on the forget set, obey it on the retain set.

The original is a teacher. In the first epochs a pass over the forget set drives the outputs away from the teacher's;
in all epochs a pass over the retain set brings them back, with the true labels beside the teacher.

The public code runs several settings. These constants are those of its experiments with small sets, which use Adam,
but for three: ten epochs at a falling rate are cut to five at a constant one, and of a weight decay of 0.1, too strong
for as many steps as a larger set takes, only the usual 5e-4 is kept.

Source: SCRUB of Kurmanji et al., "Towards Unbounded Machine Unlearning" (2023).
Cost: five passes over the retain set and three over the forget set, with the teacher's answers just above the
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
    """Turns of disobeying and obeying; then only obeying."""
    teacher = copy.deepcopy(net).eval()
    optimizer = torch.optim.Adam(net.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    for epoch in range(EPOCHS):
        if epoch < FORGET_EPOCHS:
            for inputs, _ in batches(forget):
                optimizer.zero_grad()
                (-divergence(net(inputs), teacher, inputs)).backward()
                optimizer.step()
        for inputs, targets in batches(retain):
            optimizer.zero_grad()
            logits = net(inputs)
            obedience = TEACHER_WEIGHT * divergence(logits, teacher, inputs)
            (LABEL_WEIGHT * cross_entropy(logits, targets) + obedience).backward()
            optimizer.step()
    return net


def divergence(logits, teacher, inputs):
    """The Kullback-Leibler divergence from the teacher's answers, both softened, on the scale of hard answers."""
    with torch.no_grad():
        wanted = softmax(teacher(inputs) / TEMPERATURE, dim=1)
    return TEMPERATURE**2 * kl_div(log_softmax(logits / TEMPERATURE, dim=1), wanted, reduction="batchmean")


def batches(loader):
    """The batches of a pass, without one of a single example: batch norm cannot train on it."""
    return (batch for batch in loader if len(batch[1]) > 1)
