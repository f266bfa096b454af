"""What one model answers to a task's four sets: a row of a pool."""

import torch
from torch import Tensor, nn

from scoring.confidence import logit_scaled_confidence
from scoring.store import Row
from starter_kit.batches import Examples
from starter_kit.tasks import Task

BATCH_SIZE = 1024
"""Evaluation keeps no activations, so large batches are the fast ones."""


def answers(net: nn.Module, task: Task) -> Row:
    """The confidences on the forget and test sets and the accuracies on all four.

    Args:
        net: a network of the task on the device of its examples; left in evaluation mode.
        task: whose examples it answers.

    Raises:
        ValueError: a logit is NaN or infinite.
    """
    net.eval()
    row: Row = {}
    for name, examples in task.sets.items():
        answered = logits(net, examples)
        if not torch.isfinite(answered).all():
            bad = int((~torch.isfinite(answered)).any(dim=1).sum())
            raise ValueError(f"on the {name} set {bad} of {len(examples)} examples get NaN or infinite logits")
        correct = answered.argmax(dim=1) == examples.targets
        row[f"{name}_accuracy"] = correct.double().mean().cpu().numpy()
        if name in ("forget", "test"):
            row[f"{name}_confidence"] = logit_scaled_confidence(answered.cpu().numpy(), examples.targets.cpu().numpy())
    return row


@torch.inference_mode()
def logits(net: nn.Module, examples: Examples) -> Tensor:
    """[n, C] logits of a network, in evaluation mode, for all examples in order."""
    return torch.cat([net(inputs) for inputs in examples.inputs.split(BATCH_SIZE)])
