"""What models answer to a task's four sets, batch by batch: the arrays of `Outputs`."""

import numpy as np
import torch
from torch import nn

from scoring.jobs.job import Row
from scoring.jobs.probing import batches, by_model, judged_part, of_all, probed, relearned
from scoring.judging.confidence import logit_scaled_confidence
from scoring.learners import Answer
from starter_kit.answers import correct
from starter_kit.task import Task


def row_of(task: Task, answer: Answer, seeds: list[int], seconds: float, net: nn.Module | None = None) -> Row:
    """All that is recorded of models with these seeds, which took ``seconds`` together.

    Args:
        task, answer: as for ``answers``.
        seeds: one per model.
        seconds: to make them.
        net: what answers, if it may be trained on, as `relearned` does; it is changed.
    """
    row = answers(task, answer, len(seeds)) | made(seeds, seconds)
    return row if net is None else row | relearned(task, net, answer, len(seeds))


def made(seeds: list[int], seconds: float) -> Row:
    """What `Outputs` holds besides answers, of models that took ``seconds`` together, beside no stopwatch."""
    return {
        "seconds": np.full(len(seeds), seconds / len(seeds)),
        "retraining_seconds": np.full(len(seeds), np.nan),
        "seeds": np.array(seeds, np.uint64),
    }


@torch.inference_mode()
def answers(task: Task, answer: Answer, models: int = 1) -> Row:
    """The confidences of K models on the forget and test sets, their accuracies on all four, and their probes.

    Args:
        task: its examples are on the models' device.
        answer: the K models in evaluation mode.
        models: K.

    Returns:
        Arrays by the names of `Outputs`, the first axis over the K models.

    Raises:
        ValueError: a logit is NaN or infinite, or logits have the wrong shape.
    """
    row: Row = {}
    for name, examples in task.sets.items():
        confidences, corrects, bad = [], [], 0
        for inputs, targets in batches(task, examples, models):
            logits = answer(of_all(inputs, models))
            expected = (len(targets), models, *targets.shape[1:])
            if logits.shape[:2] + logits.shape[3:] != expected or logits.ndim != len(expected) + 1:
                raise ValueError(
                    f"on the {name} set the model answers with shape {_without_models(logits.shape)}; expected logits "
                    f"of shape [B, C{', L' * (targets.ndim - 1)}] for targets of shape {tuple(targets.shape)}"
                )
            logits, targets = judged_part(task, logits, targets)
            logits, labels = by_model(logits), targets.repeat(models, *[1] * (targets.ndim - 1))
            finite = torch.isfinite(logits).flatten(1).all(dim=1).view(models, -1).all(dim=0)
            bad += int((~finite).sum())
            corrects.append(correct(logits, labels).view(models, -1).cpu())
            if name in ("forget", "test") and not bad:
                confidence = logit_scaled_confidence(logits.cpu().numpy(), labels.cpu().numpy())
                confidences.append(confidence.reshape(models, -1))
        if bad:
            raise ValueError(f"on the {name} set {bad} of {len(examples)} examples get NaN or infinite logits")
        row[f"{name}_accuracy"] = torch.cat(corrects, dim=1).double().mean(dim=1).numpy()
        if confidences:
            row[f"{name}_confidence"] = np.concatenate(confidences, axis=1)
    return row | probed(task, answer, models)


def answer_of_one(net: nn.Module) -> Answer:
    """What one network answers in evaluation mode."""
    net.eval()
    return lambda inputs: net(inputs[:, 0]).unsqueeze(1)


def _without_models(shape: torch.Size) -> list[int]:
    return [*shape[:1], *shape[2:]]
