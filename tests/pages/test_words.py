"""What a score means, in plain words."""

import pytest

from scoring.reports.page.words import rule_in_words, verdict
from scoring.reports.record import RuleRecord
from tests.reports.test_table import report


def judged(share=0.5, quality=None, kept=1.0, ratio=0.1, judged_as="within"):
    """A report whose score is a share of its ceiling, with this accuracy kept and this time."""
    plain = report()
    ceiling = plain.ceiling.model_copy(update={"value": 0.2, "band": (0.18, 0.22), "forgetting_quality": 0.2})
    changes = {
        "value": 0.2 * share,
        "forgetting_quality": 0.2 * share if quality is None else quality,
        "retain_ratio": kept,
        "test_ratio": 1.0,
    }
    score = plain.unlearned.score.model_copy(update=changes)
    return plain.model_copy(
        update={
            "ceiling": ceiling,
            "unlearned": plain.unlearned.model_copy(update={"score": score}),
            "time": plain.time.model_copy(update={"ratio": ratio, "verdict": judged_as, "budget": 0.2}),
        }
    )


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"share": 0.95}, "An attacker cannot tell its models from retrained ones any better than retrained models"),
        ({"share": 0.5}, "It reaches 50% of the score of exact retraining."),
        ({"share": 0.001}, "An attacker can easily tell its models from models that never saw the forgotten data."),
        ({"share": 0.004, "quality": 0.1, "kept": 0.04}, "It reaches 0% of the score of exact retraining."),
        ({"kept": 0.995}, "It is as accurate as retrained models."),
        ({"kept": 0.6}, "Lower accuracy reduces its score by 40%."),
        ({"ratio": 0.11}, "It takes 11% of the time of retraining; the competition allows 20%."),
        (
            {"ratio": 0.35, "judged_as": "over"},
            "It takes 35% of the time of retraining, and the competition allows 20%.",
        ),
        (
            {"ratio": 0.2, "judged_as": "unsure"},
            "It takes 20% of the time of retraining, too close to the 20% that the competition allows to call.",
        ),
    ],
)
def test_each_case_has_its_sentence(changes, sentence):
    assert sentence in verdict(judged(**changes))


def test_without_a_time_nothing_is_said_of_it():
    assert verdict(judged(ratio=None, judged_as=None)).endswith("It is as accurate as retrained models.")


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [
        (1.2, 4.0, "retrained if between 1.20 and 4.00: 91% right"),
        (1.2, None, "retrained if at least 1.20: 91% right"),
    ],
)
def test_a_rule_says_where_it_draws_its_lines(low, high, words):
    rule = RuleRecord(low=low, high=high, inside="retrained", right=0.91)
    assert rule_in_words(rule).replace("\u00a0", " ") == words


def test_an_example_without_a_rule_says_why():
    assert rule_in_words(None) == "no valid rule, or all models of one pool give the same answer"
