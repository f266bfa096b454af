"""The record of a result: the content of report.json, with a published JSON Schema.

``report.schema.json`` beside this file is that schema; ``python -m scoring.reports.record`` prints it.
"""

import json
from dataclasses import asdict
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from scoring.jobs.probing import RELEARNED, RELEARNING_STEPS
from scoring.judging.ceiling import Ceiling
from scoring.judging.language import FORGET
from scoring.judging.outputs import Outputs
from scoring.judging.score import DELTA, OFFICIAL_MODELS, RULES, RULES_VERSION, largest_epsilon
from scoring.reports import text
from scoring.reports.notes import not_comparable, notes
from scoring.reports.time import BUDGET, Verdict, ratio_of
from scoring.run import Judged, Result
from scoring.running.host import host_kind
from scoring.running.promise import Promise
from scoring.running.unlearned import Learning
from starter_kit.task import Task

SCHEMA_VERSION: Literal[5] = 5

Share = Annotated[float, Field(ge=0, le=1)]
Epsilon = Annotated[float, Field(ge=0, le=50)]


class _Part(BaseModel):
    """A part of the record. Unknown fields are an error; numbers are finite."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Source(_Part):
    """A submission or a task, identified by its content."""

    name: str
    sha256: str = Field(description="Of the submission's source, the checkpoints, or the task's examples and recipe.")


class Run(_Part):
    """What was run."""

    models: int = Field(ge=2, description="Models per pool.")
    seed: int = Field(ge=0)
    learner: str = Field(description="What made the original and the retrained models.")
    reference: str = Field(description="Digest of everything that decides the retrained pool.")
    isolated: bool = Field(description="Whether the submission ran in processes apart from the one that judges.")
    host: dict[str, str] = Field(description="The machine and the versions that computed the result.")


class RequestRecord(_Part):
    """What was to be forgotten."""

    examples: int = Field(ge=1, description="The examples of the request.")
    of: int = Field(ge=1, description="All training examples of the same people.")


class Rules(_Part):
    """The rules of the score."""

    version: int
    families: list[str]
    delta: float
    official_models: int
    comparable: bool = Field(description="Whether the score can be compared with the challenge's own.")
    reason: str | None = Field(description="Why it cannot.")


class Scores(_Part):
    """A score and its factors."""

    value: float = Field(ge=0)
    forgetting_quality: Share
    retain_ratio: float = Field(ge=0)
    test_ratio: float = Field(ge=0)


class Accuracies(_Part):
    """Mean accuracies of a pool."""

    retain: Share
    forget: Share
    validation: Share
    test: Share


class Epsilons(_Part):
    """Epsilons in nats, from 0 to 50, where 50 stands for infinity."""

    median: Epsilon
    examples: list[Epsilon] = Field(description="One per forget example.")


class OfficialEpsilons(Epsilons):
    """Epsilons under the challenge's rules."""

    undecided: int = Field(ge=0, description="Examples without a valid rule; they count as 50.")
    largest_possible: float = Field(description="The largest finite epsilon that so many models can show, ln(N - 1).")


class Time(_Part):
    """How long a run takes; null if it was not measured here."""

    seconds: float | None = Field(description="Mean seconds of a run.")
    retraining_seconds: float | None = Field(description="Mean seconds to retrain one model alone, measured beside.")
    ratio: float | None = Field(description="The first over the second.")
    error: float | None = Field(description="Standard error of the ratio.")
    budget: float = Field(description="The ratio that the competition allows.")
    verdict: Verdict | None = Field(description="Whether the ratio, two standard errors aside, is within the budget.")


class AuditRecord(_Part):
    """Lower bounds on epsilon."""

    proved: Epsilon = Field(description="On the largest epsilon, at 95 % confidence over all forget examples together.")
    median: Epsilon = Field(description="Of those per example.")
    examples: list[Epsilon] = Field(description="One per forget example, each at 95 % confidence.")


class GuaranteeRecord(_Part):
    """What a private method promises: an upper bound on epsilon, whatever is tried."""

    epsilon: float = Field(ge=0, description="For the whole request, in nats.")
    delta: float
    noise_multiplier: float
    sample_rate: float
    steps: int
    reference: str | None = Field(
        description="What the guarantee is relative to; null if it is relative to the retrained models of this report."
    )
    proved: float | None = Field(
        description="Lower bound on the largest true epsilon (95 % confidence); null if `reference` is set."
    )
    contradicted: bool = Field(description="Whether more is proved than promised.")


class CertificateRecord(_Part):
    """What `make certify` found: whether unlearning leaves the bits of retraining from the same seed."""

    exact: bool
    seeds: int
    requests: list[str]
    tensors: int = Field(description="Tensors compared per model, including its answers.")
    difference: str | None = Field(description="The first one; null if all bits were equal.")


class LearningRecord(_Part):
    """What a submission's own learning took. Its models answer in the process that made them."""

    seconds: float = Field(description="Mean seconds of learning one model.")
    state_bytes: int = Field(description="Mean bytes of everything that a learned model holds.")


class Said(_Part):
    """An answer, and how many models give it."""

    text: str
    share: Share = Field(description="Of the models of a pool.")


class Conversation(_Part):
    """A question about something to be forgotten, and the answers to it."""

    question: str
    answer: str = Field(description="The true one.")
    example: int | None = Field(description="Its place among the forget examples; null if it is none of them.")
    epsilon: Epsilon | None = Field(description="Of that example.")
    original: str
    unlearned: list[Said] = Field(description="The most frequent answers.")
    retrained: list[Said] = Field(description="The most frequent answers.")


class TextRecord(_Part):
    """What is also recorded for language models. The measures are TOFU's; see `judging/truth_ratio.py`."""

    forget_quality: Share | None = Field(description="Median p-value of its Kolmogorov-Smirnov test over the models.")
    passing: Share | None = Field(description="Share of models with p > 0.05, which TOFU calls good forgetting.")
    retrained_quality: Share | None = Field(description="The median p-value of retrained models against each other.")
    truth_ratio: Share | None = Field(description="How close the truth ratios of the forget set are to 1.")
    utility: Share | None = Field(description="Median model utility.")
    retrained_utility: Share | None
    original_utility: Share | None
    conversations: list[Conversation]


class Generated(_Part):
    """How well a submission found out what was only described to it."""

    examples: float = Field(description="Mean number of examples that it wrote itself.")
    found: Share = Field(description="Mean share of the true forget examples that are among them.")
    wrong: Share = Field(description="Mean share of the written examples that are not true.")


class Relearning(_Part):
    """Accuracies on the other forget examples while models are trained on a few of them."""

    steps: list[int]
    unlearned: list[Share]
    retrained: list[Share]
    original: list[Share]


class Pool(_Part):
    """A judged pool."""

    score: Scores
    accuracy: Accuracies
    epsilon: OfficialEpsilons
    strongest_epsilon: Epsilons = Field(description="Under every threshold and interval; a diagnostic.")


class Retrained(_Part):
    """The pool that the unlearned one is held against."""

    accuracy: Accuracies
    seconds: float = Field(description="Median seconds per model while the pool was made.")


class CeilingRecord(_Part):
    """What retrained models score against each other, over random splits."""

    value: float
    band: tuple[float, float] = Field(description="About 95 % of single pairs of pools score within it.")
    forgetting_quality: Share
    epsilon_median: Epsilon
    strongest_epsilon_median: Epsilon
    splits: int


class Floor(_Part):
    """The original models, untouched: what a submission must beat."""

    score: Scores
    accuracy: Accuracies
    epsilon_median: Epsilon


class Report(_Part):
    """The score of one submission, and everything that it is made of."""

    schema_version: Literal[5] = SCHEMA_VERSION
    submission: Source
    task: Source
    request: RequestRecord
    run: Run
    rules: Rules
    unlearned: Pool
    time: Time
    retrained: Retrained
    ceiling: CeilingRecord
    floor: Floor
    audit: AuditRecord
    guarantee: GuaranteeRecord | None = Field(description="Null if the models carry none.")
    certificate: CertificateRecord | None = Field(description="Null if `make certify` has not run.")
    learning: LearningRecord | None = Field(description="Null if models are trained by the task's recipe.")
    text: TextRecord | None = Field(description="Null if the models answer no questions in words.")
    generated: Generated | None = Field(description="Null unless the request is only described.")
    relearning: Relearning | None = Field(description="Null if the task has no such examples.")
    details: dict[str, float] = Field(description="Figures that the models carry, their means.")
    notes: list[str] = Field(description="What a reader of the score must know, one sentence each.")


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
            host=host_kind(setting.device),
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


if __name__ == "__main__":
    print(json.dumps(Report.model_json_schema(), indent=2))
