"""The audit's bound against mechanisms whose epsilon is known in closed form. Examples serve as repeats."""

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.stats import beta, norm

from scoring.judging.audit import audit_epsilon

REPEATS = 3000
THREE_SIGMA = 3 * (0.05 * 0.95 / REPEATS) ** 0.5


def gaussians(models, shift, seed=0, repeats=REPEATS):
    """Pools of N(shift, 1) and N(0, 1)."""
    rng = np.random.default_rng(seed)
    return rng.normal(shift, 1, (models, repeats)), rng.normal(0, 1, (models, repeats))


def epsilon_of_gaussians(shift, delta):
    """Balle and Wang (2018), theorem 8."""

    def excess(epsilon):
        return norm.cdf(shift / 2 - epsilon / shift) - np.exp(epsilon) * norm.cdf(-shift / 2 - epsilon / shift) - delta

    return brentq(excess, 0, 100) if excess(0) > 0 else 0.0


def responses(models, epsilon, seed=0, repeats=REPEATS):
    """Randomised response: the answer that tells most is given with the same odds by every model."""
    rng = np.random.default_rng(seed)
    likely = np.exp(epsilon) / (1 + np.exp(epsilon))
    return [(rng.random((models, repeats)) < one).astype(float) for one in (likely, 1 - likely)]


@pytest.mark.parametrize("models", [16, 64, 256])
@pytest.mark.parametrize("delta", [1e-5, 0.05, 0.2])
@pytest.mark.parametrize("shift", [0.0, 0.3, 1.0, 3.0])
def test_it_is_above_the_truth_no_more_often_than_it_may_be(models, shift, delta):
    truth = epsilon_of_gaussians(shift, delta) if shift else 0.0
    found = audit_epsilon(*gaussians(models, shift, repeats=600 if models > 64 else REPEATS), delta=delta)
    assert np.mean(found > truth) <= 0.05 + THREE_SIGMA


@pytest.mark.parametrize("epsilon", [0.0, 0.5, 1.0, 2.0])
@pytest.mark.parametrize("confidence", [0.8, 0.95])
def test_where_one_rule_tells_all_it_is_wrong_as_seldom_as_it_says_and_not_never(epsilon, confidence):
    found = audit_epsilon(*responses(128, epsilon), delta=0, confidence=confidence)
    wrong = np.mean(found > epsilon)
    assert wrong <= 1 - confidence + 3 * (confidence * (1 - confidence) / REPEATS) ** 0.5
    # To bound two rates together gives away some of it, but not all.
    assert wrong > 0


@pytest.mark.parametrize("shift", [1.0, 2.0, 4.0])
def test_it_is_hardly_below_what_the_best_rule_would_prove_that_is_known_in_advance(shift):
    """Of all thresholds that one which proves most on average, on models that were not needed to find it."""
    unlearned, retrained = gaussians(128, shift, repeats=400)
    known = []
    for threshold in np.linspace(-2, shift + 2, 60):
        inside = np.sum(unlearned[:64] > threshold, axis=0), np.sum(retrained[:64] > threshold, axis=0)
        lowest = np.nan_to_num(beta.ppf(0.025, inside[0], 64 - inside[0] + 1))
        highest = np.nan_to_num(beta.ppf(0.975, inside[1] + 1, 64 - inside[1]), nan=1.0)
        known.append(np.median(np.maximum(np.log(np.maximum(lowest - 1e-5, 1e-12) / highest), 0)))
    found = np.median(audit_epsilon(unlearned, retrained))
    assert max(known) - 0.35 <= found <= max(known) + 0.05


def test_disjoint_pools_of_512_models_prove_what_can_be_proved():
    unlearned, retrained = gaussians(512, 100.0, repeats=3)
    lowest = (1 - 0.95**0.5) ** (1 / 256)
    np.testing.assert_allclose(audit_epsilon(unlearned, retrained), np.log((lowest - 1e-5) / (1 - lowest)), rtol=1e-9)


def test_simultaneous_bounds_are_all_right_at_once():
    """In each of 300 families of 20 examples."""
    wrong = []
    for family in range(300):
        found = audit_epsilon(*responses(64, 1.0, seed=family, repeats=20), delta=0, simultaneous=True)
        wrong.append(bool(np.any(found > 1.0)))
    assert np.mean(wrong) <= 0.05 + 3 * (0.05 * 0.95 / 300) ** 0.5


def test_simultaneous_bounds_are_lower_but_for_a_single_example_the_same():
    pools = gaussians(64, 2.0, repeats=30)
    assert np.mean(audit_epsilon(*pools, simultaneous=True)) < 0.8 * np.mean(audit_epsilon(*pools))
    one = [pool[:, :1] for pool in pools]
    np.testing.assert_array_equal(audit_epsilon(*one, simultaneous=True), audit_epsilon(*one))


@pytest.mark.parametrize("where", ["between", "outside", "above"])
def test_it_finds_intervals_and_what_lies_outside_of_them(where):
    rng = np.random.default_rng(0)
    apart = {"between": rng.normal(0, 0.1, (128, 5)), "outside": rng.choice([-9.0, 9.0], (128, 5)), "above": 9.0}[where]
    wide = rng.normal(0, 3, (128, 5))
    other = np.where(np.abs(wide) < 0.5, 2.0, wide) if where == "between" else wide
    assert np.all(audit_epsilon(np.zeros((128, 5)) + apart + 0.001 * rng.normal(size=(128, 5)), other) > 1.5)


def test_pools_may_differ_in_size_and_swapping_them_changes_little():
    unlearned, retrained = gaussians(200, 2.0, repeats=40)
    one, other = audit_epsilon(unlearned, retrained[:90]), audit_epsilon(retrained[:90], unlearned)
    assert np.all(one >= 0)
    assert abs(np.median(one) - np.median(other)) < 0.3


def test_other_halves_give_other_bounds_and_the_same_ones_the_same():
    pools = gaussians(64, 2.0, repeats=10)
    np.testing.assert_array_equal(audit_epsilon(*pools, seed=1), audit_epsilon(*pools, seed=1))
    assert not np.array_equal(audit_epsilon(*pools, seed=1), audit_epsilon(*pools, seed=2))


def test_equal_answers_prove_nothing():
    same = np.ones((64, 3))
    np.testing.assert_array_equal(audit_epsilon(same, same), 0.0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"unlearned": np.zeros(8)}, "expected .N, F."),
        ({"unlearned": np.zeros((8, 2))}, "expected .N, F."),
        ({"unlearned": np.zeros((3, 3))}, "at least 4 models"),
        ({"delta": 1.0}, "delta in"),
        ({"confidence": 1.0}, "confidence in"),
    ],
)
def test_what_makes_no_sense_is_refused(arguments, message):
    given = {"unlearned": np.zeros((8, 3)), "retrained": np.zeros((8, 3))} | arguments
    with pytest.raises(ValueError, match=message):
        audit_epsilon(given.pop("unlearned"), given.pop("retrained"), **given)
