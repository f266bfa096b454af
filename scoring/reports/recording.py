"""The record of a result: filled in from the outputs and the scores."""

from dataclasses import asdict

import numpy as np
from numpy.typing import NDArray

from scoring.jobs.probing import RELEARNED, RELEARNING_STEPS
from scoring.judging.ceiling import Ceiling
from scoring.judging.interval import Spread
from scoring.judging.language import FORGET
from scoring.judging.outputs import Outputs
from scoring.judging.score import DELTA, OFFICIAL_MODELS, RULES, RULES_VERSION, largest_epsilon
from scoring.judging.time import BUDGET, ratio_of
from scoring.reports import text
from scoring.reports.examples import examples_of
from scoring.reports.notes import not_comparable, notes
from scoring.reports.record import (
    Accuracies,
    AuditRecord,
    CeilingRecord,
    CertificateRecord,
    Conversation,
    Epsilons,
    Floor,
    Generated,
    GuaranteeRecord,
    LearningRecord,
    OfficialEpsilons,
    Pool,
    QuickLookRecord,
    Relearning,
    Report,
    RequestRecord,
    Retrained,
    Rules,
    Run,
    Said,
    Scores,
    Source,
    TextRecord,
    Time,
)
from scoring.reports.reproduce import score_again
from scoring.run import Judged, Result
from scoring.running.promise import Promise
from scoring.running.unlearned import Learning
from starter_kit.task import Task


def record_of(result: Result) -> Report:
    """The record of a result."""
    reference, made = result.reference, result.made
    setting, retrained = reference.pools.setting, reference.retrained
    task = setting.task
    reason = not_comparable(len(retrained), setting)
    return Report(
        submission=Source(name=result.submission.name, sha256=result.submission.sha256),
        task=Source(name=task.name, sha256=setting.key["task"]),
        request=RequestRecord(examples=len(task.forget), of=task.theirs),
        run=Run(
            models=len(retrained),
            seed=setting.seed,
            learner=setting.learner,
            reference=reference.pools.identity.reference,
            isolated=reference.pools.backend.isolates,
            host=reference.pools.kind,
            command=score_again(result),
        ),
        rules=Rules(
            version=RULES_VERSION,
            families=[family.__name__.rsplit(".", 1)[1] for family in RULES["official"]],
            delta=DELTA,
            official_models=OFFICIAL_MODELS,
            comparable=reason is None,
            reason=reason,
        ),
        unlearned=pool_of(result.unlearned),
        interval=interval_of(result.spread),
        by_models=[
            QuickLookRecord(models=look.models, score=look.score, band=(look.low, look.high))
            for look in result.quick_looks
        ],
        judges=result.judged,
        time=_time(result.unlearned.outputs),
        retrained=Retrained(
            accuracy=accuracies(retrained),
            seconds=float(np.median(retrained.seconds)),
        ),
        ceiling=_ceiling(reference.ceiling),
        floor=floor_of(reference.floor),
        audit=AuditRecord(proved=result.proved, median=float(np.median(result.audit)), examples=result.audit.tolist()),
        guarantee=_guarantee(result.promise) if result.promise else None,
        certificate=CertificateRecord(**asdict(result.certificate), exact=result.certificate.exact)
        if result.certificate
        else None,
        learning=_learning(made.learning) if made and made.learning else None,
        examples=examples_of(result),
        text=_text(result),
        generated=_generated(result),
        relearning=_relearning(result),
        details=made.details if made else {},
        notes=notes(result),
    )


def _guarantee(promise: Promise) -> GuaranteeRecord:
    return GuaranteeRecord(
        **asdict(promise.guarantee),
        epsilon=promise.epsilon,
        proved=promise.proved,
        contradicted=promise.contradicted,
    )


def _learning(learning: Learning) -> LearningRecord:
    return LearningRecord(seconds=float(learning.seconds.mean()), state_bytes=int(learning.state_bytes.mean()))


def _text(result: Result) -> TextRecord | None:
    task, reference = result.reference.pools.task, result.reference
    if FORGET not in task.probes:
        return None
    pools = result.unlearned.outputs, reference.retrained, reference.floor.outputs.take(slice(1))
    quality, passing, ratio = text.quality_of(pools[0], pools[1]) or (None, None, None)
    among_retrained = text.quality_of(pools[1], pools[1].take(np.roll(np.arange(len(pools[1])), 1)))
    utility, retrained_utility, original_utility = (text.utility_of(task, pool) for pool in pools)
    return TextRecord(
        forget_quality=quality,
        passing=passing,
        retrained_quality=among_retrained and among_retrained[0],
        truth_ratio=ratio,
        utility=utility,
        retrained_utility=retrained_utility,
        original_utility=original_utility,
        conversations=_conversations(task, result.unlearned.score.epsilon, *pools),
    )


def _conversations(
    task: Task, epsilon: NDArray[np.float64], unlearned: Outputs, retrained: Outputs, original: Outputs
) -> list[Conversation]:
    probe = task.probes[FORGET]
    place_of = {number: place for place, number in enumerate(task.forget.image_id.tolist())}
    places = [place_of.get(number) for number in probe.answers.image_id.tolist()]
    said = [text.said(task, FORGET, pool) for pool in (original, unlearned, retrained)]
    return [
        Conversation(
            question=question,
            answer=answer,
            example=place,
            epsilon=None if place is None else float(epsilon[place]),
            original=by_original[0],
            unlearned=_said(by_unlearned),
            retrained=_said(by_retrained),
        )
        for question, answer, place, by_original, by_unlearned, by_retrained in zip(
            text.questions(task, probe), text.answers(task, probe), places, *said, strict=True
        )
    ]


def _said(texts: list[str]) -> list[Said]:
    return [Said(text=one, share=share) for one, share in text.most_said(texts).items()]


def _generated(result: Result) -> Generated | None:
    found = result.made.generated(result.reference.pools.task) if result.made else None
    return None if found is None else Generated(**asdict(found))


def _relearning(result: Result) -> Relearning | None:
    pools = result.unlearned.outputs, result.reference.retrained, result.reference.floor.outputs
    curves = [pool.probes.get(RELEARNED) for pool in pools]
    if any(curve is None for curve in curves):
        return None
    unlearned, retrained, original = (curve.mean(axis=0).tolist() for curve in curves if curve is not None)
    return Relearning(steps=list(RELEARNING_STEPS), unlearned=unlearned, retrained=retrained, original=original)


def interval_of(spread: Spread | None) -> tuple[float, float] | None:
    """The 95% confidence interval of a score."""
    if spread is None:
        return None
    interval = spread.interval()
    return interval.low, interval.high


def pool_of(judged: Judged) -> Pool:
    """The record of a judged pool."""
    score = judged.score
    return Pool(
        score=Scores(
            value=score.value,
            forgetting_quality=score.forgetting_quality,
            retain_ratio=score.retain_ratio,
            test_ratio=score.test_ratio,
        ),
        accuracy=accuracies(judged.outputs),
        epsilon=OfficialEpsilons(
            median=float(np.median(score.epsilon)),
            examples=score.epsilon.tolist(),
            undecided=score.undecided,
            largest_possible=largest_epsilon(len(judged.outputs)),
        ),
        strongest_epsilon=Epsilons(
            median=float(np.median(score.strongest_epsilon)), examples=score.strongest_epsilon.tolist()
        ),
    )


def floor_of(judged: Judged) -> Floor:
    """The record of the untouched models."""
    pool = pool_of(judged)
    return Floor(score=pool.score, accuracy=pool.accuracy, epsilon_median=pool.epsilon.median)


def accuracies(outputs: Outputs) -> Accuracies:
    """The mean accuracies of a pool on the four sets."""
    sets = ("retain", "forget", "validation", "test")
    return Accuracies(**{name: float(getattr(outputs, f"{name}_accuracy").mean()) for name in sets})


def _ceiling(ceiling: Ceiling) -> CeilingRecord:
    return CeilingRecord(
        value=ceiling.value,
        band=ceiling.band,
        forgetting_quality=ceiling.forgetting_quality,
        epsilon_median=float(np.median(ceiling.epsilon)),
        strongest_epsilon_median=float(np.median(ceiling.strongest_epsilon)),
        splits=len(ceiling.scores),
    )


def _time(outputs: Outputs) -> Time:
    ratio = ratio_of(outputs)
    if ratio is None:
        unknown = dict.fromkeys(("seconds", "retraining_seconds", "ratio", "error", "verdict"))
        return Time(**unknown, budget=BUDGET)
    return Time(
        seconds=float(outputs.seconds.mean()),
        retraining_seconds=float(np.nanmean(outputs.retraining_seconds)),
        ratio=ratio.value,
        error=ratio.error,
        budget=BUDGET,
        verdict=ratio.verdict,
    )
