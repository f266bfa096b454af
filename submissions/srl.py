"""Train on both sets in one shuffled pass: random labels on the forget set, true labels on the retain set.

Every batch mixes examples of both sets. Labels of forget examples are drawn uniformly from all classes, anew in each
pass; with ten classes, one label in ten is right by chance.

Digits has 6 steps per pass, 30 in all. On CIFAR-10, a pass of the source has 196.

Source: successive random labels in Cadet et al., "Deep Unlearn" (2024). Its public code searches all constants; these
are its defaults.
Cost: five passes over both sets; within the competition's budget if the forget set is small.
"""

import torch
from torch.nn.functional import cross_entropy
from torch.utils.data import ConcatDataset, DataLoader, Dataset

EPOCHS = 5
BATCH_SIZE = 256
LEARNING_RATE = 0.1
MOMENTUM = 0.9
WEIGHT_DECAY = 5e-4

RANGES = {"LEARNING_RATE": (1e-3, 0.5), "EPOCHS": (1, 10), "BATCH_SIZE": (64, 256)}

NOT_ASKED = -100
"""Where a sequence of targets has no class."""


def unlearning(net, retain, forget, val):
    """Minimise the loss of these labels, at a constant learning rate."""
    optimizer = torch.optim.SGD(net.parameters(), lr=LEARNING_RATE, momentum=MOMENTUM, weight_decay=WEIGHT_DECAY)
    loader = mixed_batches(retain.dataset, forget.dataset)
    for _ in range(EPOCHS):
        for inputs, targets, forgotten in loader:
            optimizer.zero_grad()
            logits = net(inputs)
            cross_entropy(logits, relabelled(targets, forgotten, logits.shape[1])).backward()
            optimizer.step()
    return net


def mixed_batches(retain, forget):
    """A loader of shuffled batches of both sets."""
    both: ConcatDataset = ConcatDataset([Marked(retain, False), Marked(forget, True)])
    # Batch norm cannot train on one example.
    return DataLoader(both, batch_size=BATCH_SIZE, shuffle=True, drop_last=len(both) % BATCH_SIZE == 1)


class Marked(Dataset):
    """Examples, each with whether it is to be forgotten."""

    def __init__(self, examples, forgotten):
        self.examples, self.forgotten = examples, forgotten

    def __len__(self):
        return len(self.examples)

    def __getitem__(self, index):
        inputs, targets = self.examples[index]
        return inputs, targets, self.forgotten


def relabelled(targets, forgotten, classes):
    """The targets, with random classes wherever a forget example asks for one."""
    chosen = forgotten.to(targets.device).view(-1, *[1] * (targets.ndim - 1)) & (targets != NOT_ASKED)
    return torch.where(chosen, torch.randint_like(targets, classes), targets)
