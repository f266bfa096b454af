"""What models answer to a task's probes, and how much they learn again: the arrays of `Outputs.probes`."""

import numpy as np
import torch
from torch import Tensor, nn

from scoring.jobs.job import Row
from scoring.judging.outputs import PROBES
from scoring.learners import Answer
from starter_kit.answers import NOT_ASKED, correct, loss, loss_of_each
from starter_kit.examples import Examples
from starter_kit.probes import Probe
from starter_kit.task import Task
from starter_kit.training import optimizer_of

RELEARNED = f"{PROBES}relearned"

RELEARNING_STEPS = (0, 2, 4, 8, 16, 32)
"""After how many steps on the task's few examples the rest of the forget set is asked for again."""

RELEARNING_RATE = 0.2
"""Times the recipe's learning rate."""


@torch.no_grad()
def probed(task: Task, answer: Answer, models: int) -> Row:
    """What K models answer to the task's probes.

    Args:
        task: its probes are on the models' device.
        answer: the K models in evaluation mode.
        models: K.

    Returns:
        For each probe of n questions its mean token losses by kind, [K, n] or [K, n, wrong answers], and what the
        models say themselves, [K, n, L] tokens or [K, n, 1] classes.
    """
    row: Row = {}
    for name, probe in task.probes.items():
        questions = len(probe.answers)
        for kind, examples in probe.kinds.items():
            losses = _losses(task, answer, examples, models)
            if kind == "perturbed":
                losses = losses.reshape(models, questions, -1)
            row[f"{PROBES}{name}.{kind}"] = losses
        row[f"{PROBES}{name}.said"] = _said(task, answer, probe, models)
    return row


def relearned(task: Task, net: nn.Module, answer: Answer, models: int) -> Row:
    """How much of the forget set comes back while models learn the task's few examples of it.

    Args:
        task: its examples are on the models' device.
        net: the K models as one module, or a single one. It is changed.
        answer: what they answer, in whichever mode they are.
        models: K.

    Returns:
        The accuracies [K, len(RELEARNING_STEPS)] on the forget examples that are not learned again; nothing if the task
        has no such examples, or all are learned again.
    """
    if task.relearning is None:
        return {}
    shown = task.relearning
    rest = ~torch.isin(task.forget.image_id, shown.image_id)
    hidden = task.forget.with_columns(column[rest] for column in task.forget.columns)
    if not len(hidden):
        return {}
    optimizer = optimizer_of(task.recipe, net.parameters())
    for group in optimizer.param_groups:
        group["lr"] *= RELEARNING_RATE
    found = []
    with torch.enable_grad(), torch.random.fork_rng(devices=[]):
        # Dropout must not depend on what this process did before.
        torch.manual_seed(0)
        for step in range(RELEARNING_STEPS[-1] + 1):
            if step in RELEARNING_STEPS:
                net.eval()
                found.append(_accuracies(task, answer, hidden, models))
            optimizer.zero_grad()
            net.train()
            logits = answer(of_all(shown.inputs, models)).flatten(0, 1)
            loss(logits, shown.targets.repeat_interleave(models, dim=0), models=models).backward()
            optimizer.step()
    return {RELEARNED: np.stack(found, axis=1)}


def of_all(inputs: Tensor, models: int) -> Tensor:
    """[B, ...] inputs as those of K models, [B, K, ...]."""
    return inputs.unsqueeze(1).expand(-1, models, *inputs.shape[1:])


def by_model(logits: Tensor) -> Tensor:
    """[B, K, C, ...] logits as [K * B, C, ...]: the models one after the other."""
    return logits.transpose(0, 1).flatten(0, 1)


def judged_part(task: Task, logits: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """The positions that are judged, of logits [..., L] and targets [..., L]."""
    return (logits[..., -task.judged :], targets[..., -task.judged :]) if task.judged else (logits, targets)


def _losses(task: Task, answer: Answer, examples: Examples, models: int) -> np.ndarray:
    """[K, n] mean token losses of the examples' answers."""
    found = []
    for inputs, targets in batches(task, examples, models):
        logits, asked = judged_part(task, answer(of_all(inputs, models)), targets)
        losses = loss_of_each(by_model(logits), asked.repeat(models, *[1] * (asked.ndim - 1)))
        found.append(losses.double().cpu().view(models, -1))
    return torch.cat(found, dim=1).numpy()


def _accuracies(task: Task, answer: Answer, examples: Examples, models: int) -> np.ndarray:
    """[K] shares of the examples that are answered correctly."""
    found = []
    with torch.no_grad():
        for inputs, wanted in batches(task, examples, models):
            logits, targets = judged_part(task, answer(of_all(inputs, models)), wanted)
            found.append(correct(by_model(logits), targets.repeat(models, *[1] * (targets.ndim - 1))).view(models, -1))
    return torch.cat(found, dim=1).double().mean(dim=1).cpu().numpy()


def _said(task: Task, answer: Answer, probe: Probe, models: int) -> np.ndarray:
    """What the models answer, each time the most probable token after those before: [K, n, L] int32."""
    examples = probe.answers
    said = [_said_to(task, answer, examples.padding, *some, models) for some in batches(task, examples, models)]
    return torch.cat(said, dim=1).int().cpu().numpy()


def _said_to(task: Task, answer: Answer, padding: int, inputs: Tensor, targets: Tensor, models: int) -> Tensor:
    """[K, B, L] what the models answer to a batch; its targets [B] or [B, L] only say how long an answer may be."""
    inputs = of_all(inputs, models).clone()
    if targets.ndim == 1:
        return answer(inputs).argmax(dim=2).t().unsqueeze(2)
    length = task.judged or targets.shape[1]
    # The true answer is part of the inputs, except its last token.
    first = inputs.shape[2] - length + 1
    inputs[:, :, first:] = padding
    said = torch.full((*inputs.shape[:2], length), NOT_ASKED, device=inputs.device)
    for place in range(length):
        said[:, :, place] = answer(inputs)[..., place - length].argmax(dim=2)
        if place + 1 < length:
            inputs[:, :, first + place] = said[:, :, place]
    return said.transpose(0, 1)


def batches(task: Task, examples: Examples, models: int) -> list[tuple[Tensor, Tensor]]:
    """The examples in order, as many at a time as K models may answer at once."""
    size = max(1, task.at_once // models)
    return list(zip(examples.inputs.split(size), examples.targets.split(size), strict=True))
