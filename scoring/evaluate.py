"""What models answer to a task's four sets: rows of a pool."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from scoring.confidence import logit_scaled_confidence
from scoring.store import Row
from starter_kit.batches import Examples
from starter_kit.tasks import Task

BATCH_SIZE = 1024
"""Evaluation keeps no activations, so large batches are the fast ones."""


def answers(task: Task, logits_of: Callable[[Examples], Tensor]) -> Row:
    """The confidences of K models on the forget and test sets and their accuracies on all four.

    Args:
        task: whose examples they answer.
        logits_of: gives [K, n, C] logits for n examples.

    Returns:
        Arrays by the names of `Outputs`, the first axis over the K models.

    Raises:
        ValueError: a logit is NaN or infinite.
    """
    row: Row = {}
    for name, examples in task.sets.items():
        logits = logits_of(examples)
        if not torch.isfinite(logits).all():
            bad = int((~torch.isfinite(logits)).any(dim=2).any(dim=0).sum())
            raise ValueError(f"on the {name} set {bad} of {len(examples)} examples get NaN or infinite logits")
        correct = logits.argmax(dim=2) == examples.targets
        row[f"{name}_accuracy"] = correct.double().mean(dim=1).cpu().numpy()
        if name in ("forget", "test"):
            labels = examples.targets.repeat(len(logits)).cpu().numpy()
            confidence = logit_scaled_confidence(logits.flatten(0, 1).cpu().numpy(), labels)
            row[f"{name}_confidence"] = confidence.reshape(correct.shape)
    return row


@torch.inference_mode()
def logits_of_one(net: nn.Module, examples: Examples) -> Tensor:
    """[1, n, C] logits of one network, in evaluation mode, for all examples in order."""
    net.eval()
    return torch.cat([net(inputs) for inputs in examples.inputs.split(BATCH_SIZE)]).unsqueeze(0)
