"""Quick epsilons: the official rules in exact arithmetic, against a naive search and against the official ones."""

import numpy as np
import pytest

from scoring.judging.epsilon import EPSILON_CAP, epsilon_of_rates
from scoring.judging.quick import quick_epsilons
from scoring.judging.score import DELTA, epsilons

SLACK = 1e-11


def pair(models, examples, seed=0, shift=0.3, wider=1.3):
    rng = np.random.default_rng(seed)
    width = rng.uniform(0.1, 4, examples)
    unlearned = rng.normal(shift, wider * width, (models, examples))
    return unlearned, rng.normal(0, width, (models, examples))


def naive(unlearned, retrained):
    """One example: every threshold and every interval of the grids, one after the other."""
    positive, negative = (
        (retrained, unlearned) if np.median(retrained) > np.median(unlearned) else (unlearned, retrained)
    )
    low, high = min(*unlearned, *retrained), max(*unlearned, *retrained)
    rules = [
        (np.sum(negative >= threshold - SLACK), np.sum(positive < threshold - SLACK))
        for threshold in np.linspace(low, high, int(np.ceil((high - low) * 100)))
    ]
    narrow, wide = (retrained, unlearned) if np.ptp(retrained) < np.ptp(unlearned) else (unlearned, retrained)
    for right in np.linspace(narrow.max() - 2, narrow.max() + 2, 400):
        left = np.linspace(right - np.ptp(narrow) - 2, right - np.ptp(narrow) + 2, 400)[:, None]
        inside = [((left - SLACK <= pool) & (pool <= right + SLACK)).sum(axis=1) for pool in (narrow, wide)]
        rules += zip(inside[1], len(narrow) - inside[0], strict=True)
    rates = np.array(rules) / len(narrow)
    found = epsilon_of_rates(rates[:, 0], rates[:, 1], DELTA)
    return EPSILON_CAP if np.isnan(found).all() else min(np.nanmax(found), EPSILON_CAP)


@pytest.mark.parametrize(("models", "shift", "wider"), [(8, 0.3, 1.3), (12, 0, 0.7), (20, 2, 1), (2, 0, 1)])
@pytest.mark.parametrize("digits", [1, 15], ids=["ties", "no ties"])
def test_they_are_those_of_a_naive_search(models, shift, wider, digits):
    unlearned, retrained = (pool.round(digits) for pool in pair(models, 6, models, shift, wider))
    expected = [naive(*example) for example in zip(unlearned.T, retrained.T, strict=True)]
    assert quick_epsilons(unlearned, retrained, DELTA) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("models", [8, 33, 128])
def test_they_hardly_differ_from_the_official_ones(models):
    pools = pair(models, 100, models)
    difference = np.abs(quick_epsilons(*pools, DELTA) - epsilons(*pools))
    assert np.mean(difference > 1e-5) <= 0.05
    assert abs(difference.mean()) < 0.02


def test_a_collapsed_pool_is_at_the_cap():
    unlearned, retrained = pair(16, 3)
    unlearned[:, 0] = 1.0
    retrained[:, 1] = unlearned[:, 1] = 2.0
    found = quick_epsilons(unlearned, retrained, DELTA)
    assert found[:2].tolist() == [EPSILON_CAP, EPSILON_CAP]
    assert found[2] < EPSILON_CAP


def test_swapping_the_pools_changes_nothing():
    unlearned, retrained = pair(24, 20)
    assert quick_epsilons(unlearned, retrained, DELTA) == pytest.approx(quick_epsilons(retrained, unlearned, DELTA))


def test_pools_narrower_than_the_grid_differ_from_the_official_ones():
    """The module says so, and that is one reason why the score does not come from it."""
    unlearned, retrained = (1e-3 * pool for pool in pair(64, 20, shift=0.1))
    assert np.mean(np.abs(quick_epsilons(unlearned, retrained, DELTA) - epsilons(unlearned, retrained)) > 1e-5) > 0.1


def test_they_do_not_depend_on_how_many_examples_are_evaluated_at_once(monkeypatch):
    unlearned, retrained = pair(12, 30)
    together = quick_epsilons(unlearned, retrained, DELTA)
    monkeypatch.setattr("scoring.judging.quick.BLOCK", 7 * 12)
    assert np.array_equal(quick_epsilons(unlearned, retrained, DELTA), together)
    assert len(set(together)) > 5
