"""Notes: what a reader of a score must know, one sentence each."""

import numpy as np

from scoring.judging.score import OFFICIAL_MODELS, largest_epsilon
from scoring.run import Comparison, Result

TIME_BUDGET = 0.2
"""The share of the time of retraining that the competition allows."""

FEW_MODELS = 64
"""With fewer models, most methods end near the largest epsilon that can be shown, and look alike."""


def not_comparable(models: int) -> str | None:
    """Why scores from pools of this size cannot be compared with the challenge's, or None if they can."""
    if models == OFFICIAL_MODELS:
        return None
    return f"{models} models instead of {OFFICIAL_MODELS}, and the score depends on the number of models"


def notes_on_models(models: int) -> list[str]:
    """Notes on the number of models."""
    found = []
    if reason := not_comparable(models):
        found.append(f"Not comparable with official scores: {reason}.")
    if models < FEW_MODELS:
        found.append(
            f"With {models} models the largest finite epsilon is ln({models} - 1) = {largest_epsilon(models):.2f}, so "
            f"many methods look alike. Use {FEW_MODELS} or more to tell them apart."
        )
    return found


def notes(result: Result) -> list[str]:
    """All notes on a submission's score."""
    found = notes_on_models(len(result.unlearned.outputs)) + notes_on_answers(result)
    if over_budget(result):
        found.append(
            f"Over the time budget: {time_ratio(result):.2f} of the time of retraining one model alone; the "
            f"competition allows {TIME_BUDGET}. A busy machine distorts this ratio."
        )
    if result.reference.pools.setting.device == "mps":
        found.append("Made on an Apple GPU (mps): the models are not those of another machine, bit for bit.")
    return found


def notes_on_answers(result: Result) -> list[str]:
    """Notes on what the models answered."""
    outputs, score = result.unlearned.outputs, result.unlearned.score
    untouched = result.reference.floor.outputs
    models, found = len(outputs), []
    distinct = len(np.unique(np.hstack([outputs.forget_confidence, outputs.test_confidence]), axis=0))
    if distinct == 1 and np.allclose(outputs.test_confidence, untouched.test_confidence):
        found.append(
            f"All {models} runs left the model unchanged: epsilon is 50 and the score 0. If the function replaces "
            "`net` by another model, it must return that model. Kaggle saves `net` whatever is returned, so better "
            "change `net` in place."
        )
    elif distinct == 1:
        found.append(
            f"All {models} runs gave the same answers: the method draws no random numbers or fixes its seed. Identical "
            "models are always distinguishable from the retrained pool: epsilon is 50 and the score 0."
        )
    elif distinct < models:
        found.append(
            f"Only {distinct} of {models} runs gave distinct answers. Is a seed fixed, or do models collapse to one "
            "answer for everything?"
        )
    if score.undecided:
        found.append(
            f"{score.undecided} of {len(score.epsilon)} forget examples had no valid decision rule; they count as "
            "epsilon 50."
        )
    return found


def notes_on_comparison(compared: Comparison) -> list[str]:
    """Notes on a ranking."""
    found = notes_on_models(len(compared.reference.retrained))
    found += [f"{one.submission.name}: {note}" for one in compared.ranked for note in notes_on_answers(one)]
    slow = [result.submission.name for result in compared.ranked if over_budget(result)]
    if slow:
        allowed = f"{TIME_BUDGET} of the time of retraining in the competition"
        found.append(f"Over the time budget ({allowed}): {', '.join(slow)}.")
    return found


def over_budget(result: Result) -> bool:
    """Whether a run takes longer than the competition allows."""
    return time_ratio(result) > TIME_BUDGET


def time_ratio(result: Result) -> float:
    """Median seconds of an unlearning run over those of retraining one model alone; NaN if unknown."""
    return float(np.median(result.unlearned.outputs.seconds)) / result.reference.seconds_alone
