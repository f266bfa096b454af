"""The record of a result: the content of report.json, with a published JSON Schema.

``report.schema.json`` beside this file is that schema; ``python -m scoring.reports.record`` prints it.
"""

import json
from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from scoring.judging.time import Verdict

SCHEMA_VERSION: Literal[7] = 7

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
    seed: int | None = Field(ge=0, description="null where it is secret, as in a competition.")
    learner: str = Field(description="What made the original and the retrained models.")
    reference: str = Field(description="Digest of everything that decides the retrained pool.")
    isolated: bool = Field(description="Whether the submission ran in processes apart from the one that judges.")
    host: dict[str, str] = Field(description="The machine and the versions that computed the result.")
    command: str = Field(description="The command that reproduces it. Files outside the repository by name only.")


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

    proved: Epsilon = Field(description="On the largest epsilon, at 95% confidence over all forget examples together.")
    median: Epsilon = Field(description="Of those per example.")
    examples: list[Epsilon] = Field(description="One per forget example, each at 95% confidence.")


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
        description="Lower bound on the largest true epsilon (95% confidence); null if `reference` is set."
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


class RuleRecord(_Part):
    """A decision rule: it predicts one pool for confidences between two bounds, and the other pool outside them."""

    low: float = Field(description="The lower bound in nats.")
    high: float | None = Field(description="The upper bound in nats; null if there is none.")
    inside: Literal["unlearned", "retrained"]
    right: Share = Field(description="The share of all models that it classifies correctly.")


class ExampleRecord(_Part):
    """A forget example."""

    id: int = Field(description="Its number in the task's data.")
    person: int = Field(description="The number of the person whose it is.")
    label: str = Field(description="The true class, or the true answer.")
    picture: str | None = Field(description="A thumbnail as a data URI; null if the example is not a picture.")
    words: str | None = Field(description="The example in words; null for a picture.")
    rule: RuleRecord | None = Field(
        description="The rule that best separates the pools on this example; null if no rule was valid or tried."
    )


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

    steps: list[int] = Field(min_length=1)
    unlearned: list[Share] = Field(min_length=1)
    retrained: list[Share] = Field(min_length=1)
    original: list[Share] = Field(min_length=1)


class QuickLookRecord(_Part):
    """What fewer models would have scored."""

    models: int = Field(description="Of either pool.")
    score: float = Field(description="The mean over random draws of so many models.")
    band: tuple[float, float] = Field(description="About nine in ten quick looks score within it.")


class Pool(_Part):
    """A judged pool."""

    score: Scores
    accuracy: Accuracies
    epsilon: OfficialEpsilons
    strongest_epsilon: Epsilons = Field(description="Under every threshold and interval; a diagnostic.")


class Retrained(_Part):
    """The pool that the unlearned one is compared with."""

    accuracy: Accuracies
    seconds: float = Field(description="Median seconds per model while the pool was made.")


class CeilingRecord(_Part):
    """What retrained models score against each other, over random splits."""

    value: float
    band: tuple[float, float] = Field(description="About 95% of single pairs of pools score within it.")
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

    schema_version: Literal[7] = SCHEMA_VERSION
    submission: Source
    task: Source
    request: RequestRecord
    run: Run
    rules: Rules
    unlearned: Pool
    interval: tuple[float, float] | None = Field(
        description="95% confidence interval of the score, over other pools from this original model; null if there "
        "are too few models."
    )
    by_models: list[QuickLookRecord] = Field(
        description="What fewer models would have scored, by their number; empty if there are too few models."
    )
    judges: dict[str, float | None] = Field(
        description="What other judges say, by name; see `judging/judges.py`. Null where there are too few examples."
    )
    time: Time
    retrained: Retrained
    ceiling: CeilingRecord
    floor: Floor
    audit: AuditRecord
    guarantee: GuaranteeRecord | None = Field(description="Null if the models carry none.")
    certificate: CertificateRecord | None = Field(description="Null if `make certify` has not run.")
    learning: LearningRecord | None = Field(description="Null if models are trained by the task's recipe.")
    examples: list[ExampleRecord] = Field(description="What was to be forgotten, in the order of all figures above.")
    text: TextRecord | None = Field(description="Null if the models answer no questions in words.")
    generated: Generated | None = Field(description="Null unless the request is only described.")
    relearning: Relearning | None = Field(description="Null if the task has no such examples.")
    details: dict[str, float] = Field(description="Figures that the models carry, their means.")
    notes: list[str] = Field(description="What a reader of the score must know, one sentence each.")


def seeds_in_words(seeds: Sequence[int | None]) -> str:
    """The seeds of some reports, as in "seeds 0, 1"."""
    shown = ", ".join("secret" if seed is None else str(seed) for seed in seeds)
    return f"{'seeds' if len(seeds) > 1 else 'seed'} {shown}"


if __name__ == "__main__":
    print(json.dumps(Report.model_json_schema(), indent=2))
