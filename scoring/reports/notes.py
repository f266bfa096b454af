"""Notes: what a reader of a score must know, one sentence each."""

import numpy as np

from scoring.compare import Comparison
from scoring.jobs.setting import Setting
from scoring.judging.interval import FEWEST_MODELS, Spread
from scoring.judging.score import OFFICIAL_MODELS, largest_epsilon
from scoring.judging.time import BUDGET, ratio_of
from scoring.reports import CONTRADICTED
from scoring.reports.text import NO_ROUGE, lacks_rouge
from scoring.run import Reference, Result
from starter_kit.errors import quoted

DIVERGED = 0.5
"""Of the median retain accuracy: a model below it has diverged."""

FEW_MODELS = 64
"""With fewer models, most methods end near the largest epsilon that can be shown, and look alike."""


def not_comparable(models: int, setting: Setting | None = None) -> str | None:
    """Why scores cannot be compared with the challenge's, or None if they can.

    Args:
        models: the size of the pools.
        setting: what made them; None if that is unknown.
    """
    if models != OFFICIAL_MODELS:
        return f"{models} models instead of {OFFICIAL_MODELS}, and the score depends on the number of models"
    if setting and setting.own:
        return "the submission brings its own learning, and the challenge has one original for all"
    if setting and setting.task.asked:
        return f"only {setting.task.asked} of {setting.task.theirs} examples are forgotten"
    return None


def notes_on_models(models: int, setting: Setting | None = None) -> list[str]:
    """Notes on the number of models, and on what else keeps a score from being compared."""
    found = []
    if reason := not_comparable(models, setting):
        found.append(f"Not comparable with official scores: {reason}.")
    if models < FEWEST_MODELS:
        found.append(f"No confidence interval: it takes at least {FEWEST_MODELS} models per pool.")
    if models < FEW_MODELS:
        found.append(
            f"With {models} models the largest finite epsilon is ln({models} - 1) = {largest_epsilon(models):.2f}, so "
            f"many methods look alike. Use {FEW_MODELS} or more to tell them apart."
        )
    return found


def notes_on_interval(spread: Spread | None, models: int) -> list[str]:
    """Why pools that are large enough have no confidence interval."""
    if spread or models < FEWEST_MODELS:
        return []
    return ["No confidence interval: in some halves of the retrained pool, all models have zero accuracy."]


def notes(result: Result) -> list[str]:
    """All notes on a submission's score."""
    setting = result.reference.pools.setting
    found = notes_on_models(len(result.unlearned.outputs), setting) + notes_on_isolation(result.reference)
    found += notes_on_interval(result.spread, len(result.unlearned.outputs))
    found += notes_on_promise(result) + notes_on_learning(result)
    found += notes_on_text(result.reference)
    found += notes_on_answers(result) + notes_on_ceiling(result) + notes_on_time(result)
    found += result.reference.pools.remarks
    if setting.device == "mps":
        found.append("Made on an Apple GPU (mps): these models are not bit-identical to those from other machines.")
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
            "`net` with another model, it must return that model. Kaggle always saves `net` and ignores what is "
            "returned, so it is safer to change `net` in place."
        )
    elif distinct == 1:
        found.append(
            f"All {models} runs gave the same answers: the method draws no random numbers or fixes its seed. Identical "
            "models are always distinguishable from the retrained pool: epsilon is 50 and the score 0."
        )
    elif distinct < models:
        found.append(
            f"The {models} runs gave only {distinct} different sets of answers. Is a seed fixed, or do some models "
            "collapse to the same constant answer?"
        )
    lost = np.sum(outputs.retain_accuracy < DIVERGED * np.median(outputs.retain_accuracy))
    if lost and result.spread:
        found.append(
            f"{lost} of {models} models diverged: their retain accuracy is below half of the median. How many do is "
            "chance that the confidence interval does not cover, so it is too narrow."
        )
    if score.undecided:
        found.append(
            f"{score.undecided} of {len(score.epsilon)} forget examples had no valid decision rule; they count as "
            "epsilon 50."
        )
    return found


def notes_on_promise(result: Result) -> list[str]:
    """What a private method's guarantee is worth."""
    promise = result.promise
    if promise is None:
        return []
    delta, examples = promise.guarantee.delta, len(result.unlearned.score.epsilon)
    if reference := promise.guarantee.reference:
        return [
            f"Guaranteed: epsilon {promise.epsilon:.2f} at delta {delta:g}, relative to {quoted(reference)}, not to "
            "retrained models. So a larger measured epsilon does not contradict it."
        ]
    if promise.contradicted:
        return [
            f"{CONTRADICTED}: the submission claims epsilon {promise.epsilon:.2f} at delta {delta:g} for {examples} "
            f"forgotten example{'s' * (examples > 1)}, but its models prove at least {promise.proved:.2f} (95% "
            "confidence over all of them together). Is noise missing, or is something not accounted for?"
        ]
    return []


def notes_on_learning(result: Result) -> list[str]:
    """What is different for a submission that brings its own learning."""
    learner = result.reference.pools.setting.own
    if learner is None:
        return []
    found = [
        f"{quoted(learner.name)} brings its own learning: forgetting is measured against its own retrained models, "
        f"accuracy against the task's. Its ceiling is {result.reference.ceiling.value:.4f}. Its models run in the "
        "submission's own process, so the kit cannot verify their answers."
    ]
    if result.certificate:
        found.append(f"Certificate: {quoted(str(result.certificate), 400)}.")
        if result.certificate.exact:
            low, high = result.reference.ceiling.band
            found.append(
                "An exact method's true forgetting quality equals the ceiling's; the measured value varies by chance, "
                f"because both pools are finite (score {low:.3f} to {high:.3f} in about 95% of runs)."
            )
    return found


def notes_on_text(reference: Reference) -> list[str]:
    """What a reader must know of a task of text."""
    task = reference.pools.task
    return [NO_ROUGE] if lacks_rouge(task) else []


def notes_on_comparison(compared: Comparison) -> list[str]:
    """Notes on a ranking."""
    reference = compared.reference
    found = notes_on_models(len(reference.retrained), reference.pools.setting) + notes_on_isolation(reference)
    found += notes_on_text(reference)
    found += [f"{one.submission.name}: {note}" for one in compared.ranked for note in notes_on_answers(one)]
    for result in compared.ranked:
        one = notes_on_promise(result) + notes_on_learning(result) + notes_on_ceiling(result)
        found += [f"{result.submission.name}: {note}" for note in one]
    for verdict, sentence in (("over", "Over the time budget"), ("unsure", "Too close to the time budget to tell")):
        named = [result.submission.name for result in compared.ranked if _verdict(result) == verdict]
        if named:
            found.append(f"{sentence} ({BUDGET} of the time of retraining in the competition): {', '.join(named)}.")
    return found


def notes_on_time(result: Result) -> list[str]:
    """The verdict on the time, unless runs keep to the budget, and how sure it is."""
    ratio = ratio_of(result.unlearned.outputs)
    if ratio is None or ratio.verdict == "within":
        return []
    low, high = ratio.range
    measured = f"{ratio.value:.2f} of the time of retraining one model alone ({low:.2f} to {high:.2f})"
    if ratio.verdict == "over":
        return [f"Over the time budget: {measured}; the competition allows {BUDGET}."]
    return [
        f"No verdict on the time: {measured}, and the competition allows {BUDGET}. Use more models or an idle machine "
        "for a verdict."
    ]


def notes_on_ceiling(result: Result) -> list[str]:
    """What a score means that an exact method hardly ever reaches."""
    score, (low, high) = result.unlearned.score, result.reference.ceiling.band
    if score.value <= high:
        return []
    return [
        f"Above the ceiling's band ({low:.3f} to {high:.3f}), which an exact method exceeds in about one run of forty. "
        "This may be chance: try another SEED=. Or the accuracy ratios are high (here "
        f"{score.retain_ratio:.2f} and {score.test_ratio:.2f}), for example because the method trains on the "
        "validation set. Or the method uses information that it must not have: read its code."
    ]


def notes_on_isolation(reference: Reference) -> list[str]:
    """What the submission could have reached."""
    if not reference.pools.backend.isolates:
        return [
            "Nothing was isolated: BACKEND=serial runs the submission in the process that judges it, so a bug or a "
            "hostile submission can change any number here. Use it only for debugging."
        ]
    return []


def _verdict(result: Result) -> str | None:
    ratio = ratio_of(result.unlearned.outputs)
    return ratio.verdict if ratio else None
