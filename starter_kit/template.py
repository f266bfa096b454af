"""Your method. Describe its idea here in a line.

Score it with `make score SUBMISSION=submissions/NAME.py`. The file is uploaded to Kaggle alone: it may import
torch, torchvision, numpy, scipy and the standard library, and nothing of this repository. What it prints is
shown with BACKEND=serial.
"""

import torch
from torch import nn
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader

LEARNING_RATE = 0.01
EPOCHS = 1


def unlearning(net: nn.Module, retain: DataLoader, forget: DataLoader, val: DataLoader) -> nn.Module | None:
    """Make ``net`` forget the forget set.

    It is called once for each model of the pool, 512 times for an official score, each time with a fresh copy of
    the original model and a random seed of its own. Draw random numbers as you like, but fix no seed: the
    metric judges the spread of your models, and models that are all alike score 0.

    Args:
        net: the original model, in training mode, on the device, all weights trainable. Its parts are named as in
            torchvision's ResNet: conv1, bn1, layer1 to layer4, fc.
        retain: the training examples to keep; a new order at each pass, in batches of 64. A batch unpacks as
            `inputs, targets` and answers to `batch["image"]` and `batch["age_group"]`. For other batch sizes,
            build your own `DataLoader(retain.dataset, batch_size=256, shuffle=True)`.
        forget: the training examples to forget, likewise.
        val: examples that were not trained on, likewise. There is no test set here, nor will there be.

    Returns:
        The unlearned model, of the same architecture, or None if ``net`` itself was changed. Kaggle takes
        ``net`` whatever is returned, so change ``net``. The competition allows a fifth of the time of retraining.
    """
    optimizer = torch.optim.SGD(net.parameters(), lr=LEARNING_RATE, momentum=0.9, weight_decay=5e-4)
    for _ in range(EPOCHS):
        for inputs, targets in retain:
            if len(targets) > 1:  # batch norm cannot train on a single example
                optimizer.zero_grad()
                cross_entropy(net(inputs), targets).backward()
                optimizer.step()
    return net
