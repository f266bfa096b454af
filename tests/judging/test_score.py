"""The score, against the challenge's own numbers and against cases that can be worked out by hand."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from scoring import Identity, Outputs, epsilons, forgetting_quality, score
from scoring.judging import epsilon
from scoring.judging.epsilon import epsilon_of_rates
from scoring.judging.score import largest_epsilon

GOLDEN = np.load(Path(__file__).parents[1] / "data/official_metric.npz")


@pytest.mark.parametrize("case", sorted({key.split("/")[0] for key in GOLDEN}))
def test_golden(case):
    unlearned, retrained = GOLDEN[f"{case}/unlearned"], GOLDEN[f"{case}/retrained"]
    found = epsilons(unlearned, retrained)
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, GOLDEN[f"{case}/epsilon"], rtol=0, atol=1e-6)
    quality = forgetting_quality(found, len(unlearned))
    np.testing.assert_allclose(quality, GOLDEN[f"{case}/forgetting_quality"], rtol=0, atol=1e-12)


def test_a_pool_that_equals_the_retrained_one_is_perfect():
    pool = np.random.default_rng(0).normal(size=(64, 5))
    assert forgetting_quality(epsilons(pool, pool[::-1]), 64) == 1


@pytest.mark.parametrize("rules", ["official", "strongest"])
def test_a_pool_without_spread_is_worth_nothing(rules):
    pool = np.random.default_rng(0).normal(size=(64, 5))
    alike = np.repeat(pool[:1], 64, axis=0)
    np.testing.assert_array_equal(epsilons(alike, pool, rules=rules), 50)
    np.testing.assert_array_equal(epsilons(alike, alike, rules=rules), 50)


def test_swapping_the_pools_changes_nothing_unless_medians_tie():
    rng = np.random.default_rng(1)
    one, other = rng.normal(size=(64, 8)), rng.normal(0.5, 2, size=(64, 8))
    np.testing.assert_array_equal(epsilons(one, other), epsilons(other, one))


def test_inputs_are_left_alone():
    rng = np.random.default_rng(2)
    one, other = rng.normal(size=(2, 16, 3))
    before = one.copy(), other.copy()
    epsilons(one, other)
    np.testing.assert_array_equal((one, other), before)


def test_an_example_without_a_valid_rule_counts_as_the_worst_and_is_counted():
    # So close together that no threshold of the grid makes both kinds of error.
    unlearned = np.array([[1.0], [-0.6], [1.8], [-1.3]]) * 1e-4
    retrained = np.array([[-0.7], [0.9], [0.0], [2.0]]) * 1e-4
    found = score(outputs(unlearned), outputs(retrained))
    assert found.undecided == 1
    assert found.epsilon == [50]
    assert found.forgetting_quality == 0


def test_the_bound_by_hand():
    rates = epsilon_of_rates(np.array([0.1, 0, 0, 1, 0.5]), np.array([0.2, 0, 0.5, 0.5, 0.5]), 1e-5)
    np.testing.assert_allclose(rates[0], np.log(0.8 - 1e-5) - np.log(0.1), rtol=1e-6)
    assert rates[1] == np.inf
    assert np.isnan(rates[2])
    assert rates[3] == 0
    assert rates[4] == 0


@pytest.mark.parametrize(
    ("value", "worth"),
    [
        (0, 1),
        (0.4999, 1),
        (0.5, 0.5),
        (1, 0.25),
        (6.49, 2**-12),
        (6.5, 2**-13),
        (6.99, 2**-13),
        (7, 0),
        (50, 0),
    ],
)
def test_what_an_epsilon_is_worth_among_512_models(value, worth):
    assert forgetting_quality([value], 512) == worth


def test_the_rules_are_frozen():
    """A change of any of these makes scores incomparable: it needs a new RULES_VERSION."""
    module = sys.modules["scoring.judging.score"]
    official = tuple(family.__name__.rsplit(".", 1)[1] for family in module.RULES["official"])
    frozen = (
        module.RULES_VERSION,
        module.DELTA,
        module.BIN_WIDTH,
        module.OFFICIAL_MODELS,
        epsilon.EPSILON_CAP,
        epsilon.COLLAPSED_RANGE_RATIO,
        official,
    )
    assert frozen == (1, 1e-5, 0.5, 512, 50, 0.01, ("single_threshold", "double_threshold"))


def outputs(confidence, **changes):
    models = len(confidence)
    made = Outputs(
        identity=Identity("digits", 0, "a"),
        forget_confidence=confidence,
        test_confidence=np.zeros((models, 2)),
        **{f"{name}_accuracy": np.full(models, 0.5) for name in ("retain", "forget", "validation", "test")},
        seconds=np.ones(models),
        retraining_seconds=np.ones(models),
        seeds=np.arange(models, dtype=np.uint64),
    )
    return replace(made, **changes)


def test_score_is_quality_times_both_ratios_and_not_clipped():
    pool = np.random.default_rng(0).normal(size=(16, 4))
    better = outputs(pool, retain_accuracy=np.full(16, 0.75), test_accuracy=np.full(16, 0.25))
    assert score(better, outputs(pool)).value == 1 * 1.5 * 0.5
    assert score(outputs(pool, retain_accuracy=np.ones(16)), outputs(pool)).value == 2


def test_retrained_models_that_know_nothing_give_no_score():
    pool = np.random.default_rng(0).normal(size=(16, 4))
    with pytest.raises(ValueError, match="test accuracy: the retrained models' accuracy is zero"):
        score(outputs(pool), outputs(pool, test_accuracy=np.zeros(16)))


@pytest.mark.parametrize(
    ("other", "named"),
    [
        (Identity("faces", 0, "a"), "digits, seed 0, reference a and faces, seed 0, reference a"),
        (Identity("digits", 1, "a"), "digits, seed 0, reference a and digits, seed 1, reference a"),
        (Identity("digits", 0, "b"), "digits, seed 0, reference a and digits, seed 0, reference b"),
    ],
)
def test_pools_that_do_not_belong_together_are_refused(other, named):
    pool = np.random.default_rng(0).normal(size=(16, 4))
    with pytest.raises(
        ValueError, match=f"do not belong together: expected one task, seed and reference, found {named}"
    ):
        score(outputs(pool), outputs(pool, identity=other))


def test_accuracies_can_be_compared_with_those_of_another_pool():
    """The accuracy pool belongs to another learner, so it has another reference."""
    rng = np.random.default_rng(0)
    unlearned, retrained = rng.normal(size=(2, 16, 4))
    guessing = outputs(retrained, retain_accuracy=np.full(16, 0.1), test_accuracy=np.full(16, 0.1))
    of_task = outputs(rng.normal(size=(16, 4)), identity=Identity("digits", 0, "the task's own"))
    found = score(outputs(unlearned), guessing, of_task)
    assert (found.retain_ratio, found.test_ratio) == (1, 1)
    assert score(outputs(unlearned), guessing).retain_ratio == 0.5 / 0.1
    # Forgetting is measured against the retrained pool all the same.
    np.testing.assert_array_equal(found.epsilon, epsilons(unlearned, retrained))
    np.testing.assert_array_equal(found.strongest_epsilon, epsilons(unlearned, retrained, rules="strongest"))


@pytest.mark.parametrize("models", [8, 16, 64, 512])
def test_the_largest_finite_epsilon_is_reached_and_never_exceeded(models):
    """By a rule that errs once on either pool; one that errs on a single pool is discarded."""
    rates = np.arange(models + 1) / models
    epsilon_of = epsilon_of_rates(rates[:, None], rates[None, :], 1e-5)
    assert epsilon_of[np.isfinite(epsilon_of)].max() == pytest.approx(largest_epsilon(models), abs=1e-3)
    one, other = np.arange(models, dtype=float), np.arange(models, dtype=float) + models
    one[-1], other[0] = other[0], one[-1]
    found = epsilons(one[:, None], other[:, None], rules="strongest")
    np.testing.assert_allclose(found, largest_epsilon(models), atol=1e-3)


def test_the_largest_epsilon_of_16_models():
    assert largest_epsilon(16) == pytest.approx(2.708, abs=1e-3)


@pytest.mark.parametrize(
    ("unlearned", "retrained", "options", "message"),
    [
        (np.zeros((8, 2)), np.zeros((9, 2)), {}, r"found \(8, 2\) and \(9, 2\)"),
        (np.zeros((8, 2)), np.zeros((8, 3)), {}, r"found \(8, 2\) and \(8, 3\)"),
        (
            np.zeros(8),
            np.zeros(8),
            {},
            r"unlearned: expected \[models >= 2, forget examples\], found shape \(8,\)",
        ),
        (np.zeros((1, 2)), np.zeros((1, 2)), {}, r"found shape \(1, 2\)"),
        (np.zeros((8, 2)), np.full((8, 2), np.nan), {}, "retrained: 16 confidences are NaN or infinite"),
        (np.full((8, 2), np.inf), np.zeros((8, 2)), {}, "unlearned: 16 confidences are NaN or infinite"),
        (np.zeros((8, 2)), np.zeros((8, 2)), {"delta": 1}, "delta: expected a number in"),
        (np.zeros((8, 2)), np.zeros((8, 2)), {"rules": "best"}, "one of official, strongest, found 'best'"),
    ],
)
def test_bad_pools(unlearned, retrained, options, message):
    with pytest.raises(ValueError, match=message):
        epsilons(unlearned, retrained, **options)


@pytest.mark.parametrize(
    ("values", "models", "message"),
    [([], 8, "at least one"), ([-1], 8, "negative"), ([np.nan], 8, "NaN"), ([1], 1, "at least 2, found 1")],
)
def test_bad_epsilons(values, models, message):
    with pytest.raises(ValueError, match=message):
        forgetting_quality(values, models)


def test_judging_needs_no_torch():
    code = "import sys, scoring; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
