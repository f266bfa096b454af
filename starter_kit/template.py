"""Describe the idea of your method in one line.

Describe the method here. Score it with `make score SUBMISSION=submissions/NAME.py`;
add `BACKEND=serial` to see what it prints, and `LIMIT=3600` (seconds) if a call needs more than three times the
training time of the original model. Only this file is uploaded to Kaggle, so it may import torch, torchvision, numpy,
scipy and the standard library, but nothing from this repository.

If your method also needs its own training (shards, merging, privacy), define `learning(net, train, val)` too;
submissions/README.md explains when and how. Such a file can be scored here, but not uploaded to Kaggle.

Source: the paper that the method follows, or "new".
Cost: one pass over the retain set.
"""

import torch
from torch import nn
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader

LEARNING_RATE = 0.01
EPOCHS = 1


def unlearning(net: nn.Module, retain: DataLoader, forget: DataLoader, val: DataLoader) -> nn.Module | None:
    """Make ``net`` forget the forget set.

    The kit calls this function once per unlearned model, 512 times for an official score. Each call receives a fresh
    copy of the original model and its own random seed. Draw random numbers freely, but do not fix a seed: the metric
    judges the distribution of your models, and identical models score 0.

    A batch unpacks as `inputs, targets`; `batch["image"]` and `batch["age_group"]` work too, as in the competition.
    Loaders shuffle on each pass and yield batches of 64. They never end with a batch of one, which batch norm cannot
    train on: a single leftover example is added to the previous batch, so only a set of one example gives such a batch.
    For another batch size, build a loader such as `DataLoader(retain.dataset, batch_size=256, shuffle=True)`. The
    examples are in memory, so `num_workers=0`, the default, is usually the fastest.

    Args:
        net: the original model, in training mode and on the device, with all weights trainable. Networks for
            pictures name their layers as torchvision's ResNet does: conv1, bn1, layer1 to layer4, fc.
        retain: loader of the training examples to keep.
        forget: loader of the training examples to forget.
        val: loader of examples that the original was not trained on. The test set is not available.

    Returns:
        The unlearned model, with the architecture of ``net``, or None if ``net`` was changed in place. Kaggle judges
        ``net`` and ignores what is returned, so change ``net`` in place. The competition allows a fifth of the time
        that retraining takes.

    Raises:
        NotImplementedError: the method does not work on this task, for example because the network has no layers of a
            kind. The message says why, and `make compare` lists it separately.
    """
    optimizer = torch.optim.SGD(net.parameters(), lr=LEARNING_RATE, momentum=0.9, weight_decay=5e-4)
    for _ in range(EPOCHS):
        for inputs, targets in retain:
            optimizer.zero_grad()
            cross_entropy(net(inputs), targets).backward()
            optimizer.step()
    return net
