"""Rule families against the naive implementation: each rule applied to each model."""

from collections import Counter
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

from scoring import epsilons
from scoring.judging import rules
from scoring.judging.epsilon import epsilon_of_rates
from scoring.judging.rules import double_threshold, every_interval, single_threshold

FAMILIES = [
    import_module(f"scoring.judging.rules.{path.stem}") for path in Path(rules.__file__).parent.glob("[!_]*.py")
]


def pools(seed, models=40, digits=None):
    """Two pools of one example; rounded to ``digits`` they have many ties."""
    rng = np.random.default_rng(seed)
    positive, negative = rng.normal(0.5, 1, models), rng.normal(0, rng.uniform(0.5, 2), models)
    return (positive, negative) if digits is None else (positive.round(digits), negative.round(digits))


def single_threshold_naively(positive, negative):
    both = np.concatenate([positive, negative])
    size = int(np.ceil((both.max() - both.min()) * 100))
    for threshold in np.linspace(both.min(), both.max(), size):
        yield np.sum(negative >= threshold), np.sum(positive < threshold)


def double_threshold_naively(positive, negative):
    if np.ptp(positive) >= np.ptp(negative):
        positive, negative = negative, positive
    width = np.ptp(positive)
    low, high = positive.min() + width - 2, positive.max() + 2
    for right in np.linspace(low, high, int(np.ceil((high - low) * 100))):
        for left in np.linspace(right - width - 2, right - width + 2, 400):
            inside = [(left <= pool) & (pool <= right) for pool in (positive, negative)]
            yield np.sum(inside[1]), np.sum(~inside[0])


def every_interval_naively(positive, negative):
    values = np.unique(np.concatenate([positive, negative]))
    for at, left in enumerate(values):
        for right in values[at:]:
            inside = [np.sum((left <= pool) & (pool <= right)) for pool in (positive, negative)]
            yield inside[1], len(positive) - inside[0]
            yield inside[0], len(negative) - inside[1]


def largest_epsilon(counts, models):
    """The largest epsilon of all rules that are not discarded, by the definition; NaN if none is left."""
    errors = np.array(list(counts)) / models
    return np.fmax.reduce(epsilon_of_rates(errors[:, 0], errors[:, 1], 1e-5))


@pytest.mark.parametrize("seed", range(3))
def test_single_threshold_gives_the_naive_counts(seed):
    found = Counter(zip(*map(np.ndarray.tolist, single_threshold.error_counts(*pools(seed))), strict=True))
    expected = Counter((int(a), int(b)) for a, b in single_threshold_naively(*pools(seed)))
    # The first and the last threshold are the extreme values rounded to float32, so the naive grid may differ there.
    assert sum((found - expected).values()) <= 2
    assert sum(found.values()) == sum(expected.values())


@pytest.mark.parametrize(("seed", "digits"), [(0, None), (1, 1), (2, 2), (3, 0)])
def test_interval_ends_and_the_counts_below_them_are_exact(seed, digits):
    pool, other = pools(seed, digits=digits)
    left, right = double_threshold._ends(pool)
    width = np.ptp(pool)
    for ends, end in zip(left, right, strict=True):
        np.testing.assert_array_equal(ends, np.linspace(end - width - 2, end - width + 2, 400))
    # Values exactly on the ends, next to them, and far outside.
    some = left[:: len(left) // 9, ::40].ravel()
    values = np.sort(np.concatenate([pool, other, some, np.nextafter(some, 9), [-1e3, 1e3]]))
    np.testing.assert_array_equal(double_threshold._count_below(values, left), np.searchsorted(values, left))


@pytest.mark.parametrize("digits", [None, 1])
def test_double_threshold_gives_the_naive_counts(digits):
    given = pools(0, models=16, digits=digits)
    found = Counter(zip(*map(np.ndarray.tolist, double_threshold.error_counts(*given)), strict=True))
    assert found == Counter((int(a), int(b)) for a, b in double_threshold_naively(*given))


@pytest.mark.parametrize("seed", range(40))
def test_every_interval_finds_the_epsilon_of_trying_all_intervals(seed):
    models = 3 + seed % 11
    given = pools(seed, models, digits=[None, 0, 1][seed % 3])
    counts = zip(*every_interval.error_counts(*given), strict=True)
    np.testing.assert_equal(largest_epsilon(counts, models), largest_epsilon(every_interval_naively(*given), models))


@pytest.mark.parametrize("family", FAMILIES)
class TestEachFamily:
    def test_the_order_of_the_models_does_not_matter(self, family):
        positive, negative = pools(1)
        shuffled = family.error_counts(positive[::-1].copy(), np.roll(negative, 7))
        for found, expected in zip(shuffled, family.error_counts(positive, negative), strict=True):
            np.testing.assert_array_equal(found, expected)

    def test_pools_that_do_not_overlap_are_separated_without_error(self, family):
        positive, negative = pools(2)
        false_positives, false_negatives = family.error_counts(positive + 1000, negative)
        assert np.any((false_positives == 0) & (false_negatives == 0))

    def test_equal_pools_give_no_information(self, family):
        pool, _ = pools(3)
        false_positives, false_negatives = family.error_counts(pool, pool.copy())
        assert np.all(false_positives + false_negatives == len(pool))

    def test_inputs_are_left_alone(self, family):
        given = pools(4)
        family.error_counts(*given)
        for found, expected in zip(given, pools(4), strict=True):
            np.testing.assert_array_equal(found, expected)

    def test_counts_are_counts(self, family):
        for counts in family.error_counts(*pools(5)):
            assert np.issubdtype(counts.dtype, np.integer)
            assert counts.min() >= 0
            assert counts.max() <= 40


def test_strongest_is_never_weaker_than_the_grid():
    rng = np.random.default_rng(6)
    unlearned, retrained = rng.normal(size=(64, 30)), rng.normal(0.3, 1.5, size=(64, 30))
    official, strongest = (epsilons(unlearned, retrained, rules=name) for name in ("official", "strongest"))
    assert np.all(strongest >= official - 1e-6)
    assert np.any(strongest > official)
