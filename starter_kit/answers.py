"""What it means to answer an example: its loss, and whether the answer is correct.

An answer is one class, or a sequence of classes. Targets are [B] int64, or [B, L] with ``NOT_ASKED`` wherever nothing
is asked. Logits have the class axis second, as `torch.nn.functional.cross_entropy` expects: [B, C] or [B, C, L].
"""

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

NOT_ASKED = -100
"""PyTorch's own default for ``ignore_index``."""


def loss(logits: Tensor, targets: Tensor, class_weights: Tensor | None = None, models: int = 1) -> Tensor:
    """The training loss: for each model the mean over its examples, summed over models.

    The loss of an example is the mean cross-entropy over the classes that it asks for. With class weights, each class
    counts by its weight, and an example by the mean weight of its classes. For one class per example this is PyTorch's
    weighted cross-entropy.

    Args:
        logits: [B * models, C] or [B * models, C, L]; row ``b * models + k`` is model k's answer to its b-th example.
        targets: [B * models] or [B * models, L] int64. Every example must ask for at least one class.
        class_weights: [C] weights >= 0, or None for equal weights.
        models: how many networks answered side by side. The sum keeps their gradients apart.

    Returns:
        A scalar.
    """
    losses = _of_positions(logits, targets, class_weights)
    asked = targets != NOT_ASKED
    # In the precision of the network, whatever the inputs are.
    weights = asked.to(losses.dtype) if class_weights is None else _weights(targets, asked, class_weights)
    if targets.ndim > 1:
        count = asked.sum(dim=1)
        losses, weights = losses.sum(dim=1) / count, weights.sum(dim=1) / count
    by_model = (-1, models)
    return (losses.unflatten(0, by_model).sum(dim=0) / weights.unflatten(0, by_model).sum(dim=0)).sum()


def loss_of_each(logits: Tensor, targets: Tensor) -> Tensor:
    """[B] the loss of each example: the mean cross-entropy over the classes that it asks for.

    Args:
        logits: [B, C] or [B, C, L].
        targets: [B] or [B, L] int64. Every example must ask for at least one class.
    """
    losses = _of_positions(logits, targets)
    return losses if losses.ndim == 1 else losses.sum(dim=1) / (targets != NOT_ASKED).sum(dim=1)


def _of_positions(logits: Tensor, targets: Tensor, class_weights: Tensor | None = None) -> Tensor:
    """The cross-entropy of each class that is asked for, and 0 where nothing is asked; shaped like the targets."""
    # With the class axis last a softmax over it is faster; for a network that computes its logits so, this is a view.
    rows = logits.movedim(1, -1).flatten(0, -2)
    flat = cross_entropy(rows, targets.flatten(), class_weights, ignore_index=NOT_ASKED, reduction="none")
    return flat.view(targets.shape)


def _weights(targets: Tensor, asked: Tensor, class_weights: Tensor) -> Tensor:
    """The weight of each class that is asked for, and 0 where nothing is asked; shaped like the targets."""
    return torch.where(asked, class_weights[targets.clamp(min=0)], 0)


def correct(logits: Tensor, targets: Tensor) -> Tensor:
    """Whether every class that an example asks for is the most probable one.

    Args:
        logits: [B, C] or [B, C, L].
        targets: [B] or [B, L] int64.

    Returns:
        [B] booleans. For one class their mean is the accuracy; for a sequence it is the share of exact matches, each
        position given the true classes before it.
    """
    right = (logits.argmax(dim=1) == targets) | (targets == NOT_ASKED)
    return right if right.ndim == 1 else right.all(dim=1)
