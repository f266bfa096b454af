"""What a score means, in plain words."""

from scoring.reports.record import ExampleRecord, Report, RuleRecord

EASY = 0.01
"""Below this share of the ceiling's forgetting quality, an attacker has an easy task."""

KEPT = 0.99
"""The product of both ratios of accuracies from which on accuracy costs nothing worth a word."""


def verdict(report: Report) -> str:
    """How well it forgot, what that cost, and how long it took: up to three short sentences."""
    return f"{_forgetting(report)} {_accuracy(report)} {_time(report)}".strip()


def _forgetting(report: Report) -> str:
    score, ceiling = report.unlearned.score, report.ceiling
    share = 100 * score.value / ceiling.value if ceiling.value else 0.0
    if score.value >= ceiling.band[0]:
        return (
            "An attacker cannot tell its models from retrained ones any better than retrained models from each other."
        )
    if score.forgetting_quality < EASY * ceiling.forgetting_quality:
        return "An attacker can easily tell its models from models that never saw the forgotten data."
    return f"It reaches {share:.0f}% of the score of exact retraining."


def _accuracy(report: Report) -> str:
    kept = report.unlearned.score.retain_ratio * report.unlearned.score.test_ratio
    if kept >= KEPT:
        return "It is as accurate as retrained models."
    return f"Lower accuracy reduces its score by {100 * (1 - kept):.0f}%."


def _time(report: Report) -> str:
    time = report.time
    if time.ratio is None:
        return ""
    allowed = f"{100 * time.budget:.0f}%"
    judged = {"within": f"; the competition allows {allowed}", "over": f", and the competition allows {allowed}"}
    unsure = f", too close to the {allowed} that the competition allows to call"
    return f"It takes {100 * time.ratio:.0f}% of the time of retraining{judged.get(time.verdict or '', unsure)}."


def rule_in_words(rule: RuleRecord | None) -> str:
    """What the strongest rule of an example says."""
    if rule is None:
        return "no valid rule, or all models of one pool give the same answer"
    where = f"at least {rule.low:.2f}" if rule.high is None else f"between {rule.low:.2f} and {rule.high:.2f}"
    return f"{rule.inside} if {where}: {100 * rule.right:.0f}% right"


def name_of(example: ExampleRecord) -> str:
    """An example in a few words, for those who do not see its picture."""
    return f"example {example.id}, labelled {example.label}"
