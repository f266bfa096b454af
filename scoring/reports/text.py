"""Text for the report: questions, what pools of language models answer to them, and TOFU's measures."""

from collections import Counter
from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from scoring.judging.language import FORGET, forget_qualities, forget_truth_ratio, utilities
from scoring.judging.outputs import PROBES, Outputs
from starter_kit.answers import NOT_ASKED
from starter_kit.extras import how_to_install
from starter_kit.probes import Probe
from starter_kit.task import Task

NO_ROUGE = "Model utility is unavailable without rouge-score. " + how_to_install("rouge_score")


def questions(task: Task, probe: Probe) -> list[str]:
    """The questions of a probe, as text."""
    examples = probe.answers
    # The true answer is part of the inputs, except its last token; choices are too.
    answered = probe.choices or (task.judged or examples.targets.shape[1]) - 1
    asked = examples.inputs[:, : examples.inputs.shape[1] - answered] if answered else examples.inputs
    return [_text(examples.tokenizer, row[row != examples.padding].tolist()) for row in asked]


def answers(task: Task, probe: Probe) -> list[str]:
    """The true answers to the questions of a probe."""
    targets = probe.answers.targets if probe.choices else probe.answers.targets[:, -(task.judged or 0) :]
    return _as_text(task, probe, targets.reshape(len(targets), -1).numpy())


def said(task: Task, name: str, outputs: Outputs) -> list[list[str]]:
    """What each of the N models says to each of the n questions of a probe: [n] lists of N texts."""
    found = outputs.probes[f"{PROBES}{name}.said"]
    return [_as_text(task, task.probes[name], found[:, place], place) for place in range(found.shape[1])]


def most_said(texts: Sequence[str], most: int = 3) -> dict[str, float]:
    """The most frequent texts, with the share of models that say each."""
    return {text: count / len(texts) for text, count in Counter(texts).most_common(most)}


def utility_of(task: Task, outputs: Outputs) -> float | None:
    """The median model utility of a pool, in [0, 1]; None without wrong answers, or if ROUGE is not installed."""
    if not (_asks_for_truth(task) and find_spec("rouge_score")):
        return None
    recalls = {name: _recalls(task, name, outputs) for name in task.probes if name != FORGET}
    found = utilities(outputs, recalls)
    return None if found is None else float(np.median(found))


def lacks_rouge(task: Task) -> bool:
    """Whether a package is missing that the task's measures need."""
    return _asks_for_truth(task) and not find_spec("rouge_score")


def quality_of(unlearned: Outputs, retrained: Outputs) -> tuple[float, float, float] | None:
    """The median p-value of TOFU's test, how many models pass it as a share, and the truth ratio; None without them."""
    qualities, ratio = forget_qualities(unlearned, retrained), forget_truth_ratio(unlearned)
    return None if qualities is None or ratio is None else (*qualities, ratio)


def _asks_for_truth(task: Task) -> bool:
    return any(probe.perturbed is not None for probe in task.probes.values())


def _as_text(task: Task, probe: Probe, tokens: NDArray, place: int | None = None) -> list[str]:
    """Rows of answers as text, all to the question at ``place``, or each to its own."""
    examples, texts = probe.answers, []
    for row, one in enumerate(tokens):
        at = row if place is None else place
        if probe.choices:
            chosen = examples.inputs[at, examples.inputs.shape[1] - probe.choices + int(one[0])]
            texts.append(_text(examples.tokenizer, [int(chosen)]))
        else:
            texts.append(_text(examples.tokenizer, _until(one.tolist(), _end_of(examples.targets[at]))))
    return texts


def _end_of(targets: Tensor) -> int:
    """The token that ends an answer."""
    return int(targets[targets != NOT_ASKED][-1])


def _until(tokens: list[int], end: int) -> list[int]:
    asked = [token for token in tokens if token != NOT_ASKED]
    return asked[: asked.index(end)] if end in asked else asked


def _text(tokenizer: Any, tokens: list[int]) -> str:
    return str(tokenizer.decode(tokens, skip_special_tokens=True)).strip()


def _recalls(task: Task, name: str, outputs: Outputs) -> NDArray[np.float64]:
    """[N, n] how much of each true answer a model's own answer holds."""
    true = answers(task, task.probes[name])
    by_question = [
        [_recall(answer, one) for one in texts] for answer, texts in zip(true, said(task, name, outputs), strict=True)
    ]
    return np.array(by_question).T


@cache
def _recall(true: str, said: str) -> float:
    """ROUGE-L recall."""
    return float(_scorer().score(true, said)["rougeL"].recall)


@cache
def _scorer() -> Any:
    from rouge_score.rouge_scorer import RougeScorer

    return RougeScorer(["rougeL"], use_stemmer=True)
