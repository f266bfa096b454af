"""What a score means, in plain words."""

from scoring.reports.record import ExampleRecord, Report, RuleRecord


def verdict(report: Report) -> str:
    """One sentence: how well it forgot, what that cost, and how long it took."""
    return f"{_forgetting(report)} {_accuracy(report)} {_time(report)}".strip()


def _forgetting(report: Report) -> str:
    score, ceiling = report.unlearned.score.value, report.ceiling.value
    share = 100 * score / ceiling if ceiling else 0.0
    low, _ = report.ceiling.band
    if score >= low:
        return "An attacker can tell its models from retrained ones no better than retrained models from each other."
    if share < 1:
        return "An attacker can easily tell its models from models that never saw the forgotten data."
    return f"It gets {share:.0f} % of the score of exact retraining."


def _accuracy(report: Report) -> str:
    kept = report.unlearned.score.retain_ratio * report.unlearned.score.test_ratio
    if kept >= 0.99:
        return "It keeps the accuracy of retrained models."
    return f"Lost accuracy costs it {100 * (1 - kept):.0f} % of its score."


def _time(report: Report) -> str:
    time = report.time
    if time.ratio is None:
        return ""
    limit = f"the competition allows {time.budget:g}"
    within = {"within": f"within the budget ({limit})", "over": f"over the budget ({limit})"}
    judged = within.get(time.verdict or "", f"too close to the budget to tell ({limit})")
    return f"It takes {time.ratio:.2f} of the time of retraining, {judged}."


def rule_in_words(rule: RuleRecord | None) -> str:
    """What the strongest rule of an example says."""
    if rule is None:
        return "no valid rule, or all models of a pool answer alike"
    where = {
        (True, True): f"between {rule.low or 0:.2f} and {rule.high or 0:.2f}",
        (True, False): f"at least {rule.low or 0:.2f}",
        (False, True): f"at most {rule.high or 0:.2f}",
        (False, False): "everywhere",
    }[rule.low is not None, rule.high is not None]
    return f"{rule.inside} if {where}: {100 * rule.right:.0f} % right"


def name_of(example: ExampleRecord) -> str:
    """An example in a few words, for those who do not see its picture."""
    return f"example {example.id}, labelled {example.label}"
