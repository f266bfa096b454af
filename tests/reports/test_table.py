"""The terminal table of one result."""

import io

import pytest
from rich.console import Console

from scoring.reports.record import GuaranteeRecord, Report
from scoring.reports.table import table

EPSILONS = {"median": 3.5, "examples": [3.5]}
SCORES = {"value": 0.05, "forgetting_quality": 0.05, "retain_ratio": 1.0, "test_ratio": 1.0}
ACCURACY = dict.fromkeys(("retain", "forget", "validation", "test"), 0.5)


def report(ceiling=0.2, ratio: float | None = 0.125) -> Report:
    return Report.model_validate(
        {
            "submission": {"name": "mine", "sha256": "0" * 64},
            "task": {"name": "digits", "sha256": "1" * 64},
            "run": {
                "models": 64,
                "seed": 0,
                "learner": "recipe",
                "reference": "abc",
                "isolated": True,
                "host": {},
                "command": "make score",
            },
            "rules": {
                "version": 1,
                "families": [],
                "delta": 1e-5,
                "official_models": 512,
                "comparable": False,
                "reason": "few",
            },
            "unlearned": {
                "score": SCORES,
                "accuracy": ACCURACY,
                "epsilon": EPSILONS | {"undecided": 0, "largest_possible": 4.143},
                "strongest_epsilon": EPSILONS,
            },
            "interval": (0.03, 0.08),
            "by_models": [],
            "judges": {"attack": 0.5},
            "time": {"budget": 0.2}
            | dict.fromkeys(("seconds", "retraining_seconds", "ratio", "error", "verdict"))
            | ({} if ratio is None else {"seconds": 0.1, "retraining_seconds": 0.8, "ratio": ratio, "error": 0.01}),
            "retrained": {"accuracy": ACCURACY, "seconds": 0.1},
            "ceiling": {
                "value": ceiling,
                "band": (0.0, 2 * ceiling),
                "forgetting_quality": ceiling,
                "epsilon_median": 1.5,
                "strongest_epsilon_median": 2.0,
                "splits": 30,
            },
            "floor": {"score": SCORES | {"value": 0.0}, "accuracy": ACCURACY, "epsilon_median": 50.0},
            "request": {"examples": 95, "of": 95},
            "audit": {"proved": 0.3, "median": 0.1, "examples": [0.3]},
            "examples": [
                {"id": 7, "person": 3, "label": "4", "picture": None, "words": "a picture", "rule": None},
            ],
            "details": {},
            "notes": [],
        }
        | dict.fromkeys(("guarantee", "certificate", "learning", "text", "generated", "relearning"))
    )


def printed(report: Report) -> str:
    console = Console(width=90, file=io.StringIO())
    console.print(table(report))
    return console.file.getvalue()


def test_a_score_is_read_as_a_share_of_the_ceiling():
    text = printed(report())
    assert "mine reaches 25% of the ceiling." in text
    assert "An exact method scores 0.000 to 0.400 in about 95% of runs." in text
    assert "With 64 models the largest finite epsilon is 4.14." in text


def test_a_ceiling_of_zero_has_no_shares():
    """Where retrained models can always be told apart, nothing is a share of that."""
    text = printed(report(ceiling=0.0))
    assert "of the ceiling" not in text
    assert "0.0500" in text


@pytest.mark.parametrize(("ratio", "cell"), [(0.125, "0.12 ± 0.02"), (None, "")])
def test_a_time_that_is_unknown_stays_empty(ratio, cell):
    row = next(line for line in printed(report(ratio=ratio)).splitlines() if "time over retraining" in line)
    assert row.split("│")[2].strip() == cell


def test_it_fits_into_eighty_characters():
    assert max(map(len, printed(report()).splitlines())) <= 80


def test_a_name_is_only_a_name():
    hostile = report()
    named = hostile.model_copy(update={"submission": hostile.submission.model_copy(update={"name": "[b]x[/b]\x1b\n"})})
    text = printed(named)
    assert text.count(r"[b]x[/b]\x1b\n") == 3, "in the title, above the column and in the caption"


def guaranteed(reference):
    numbers = {"noise_multiplier": 2.0, "sample_rate": 0.1, "steps": 10, "delta": 1e-5}
    promise = GuaranteeRecord(**numbers, reference=reference, epsilon=1.5, proved=None, contradicted=False)
    return printed(report().model_copy(update={"guarantee": promise}))


def test_what_is_proved_and_what_is_guaranteed_are_beside_each_other():
    shown = guaranteed(None)
    assert "│ proved (95%) " in shown
    assert "│ guaranteed " in shown
    assert "Proved ≤ largest true epsilon ≤ guaranteed (delta 1e-05)." in shown


def test_a_guarantee_from_another_reference_does_not_look_like_a_bound_on_what_is_measured():
    shown = guaranteed("any other start")
    assert "│ guaranteed (own reference) " in shown
    assert "≤" not in shown
