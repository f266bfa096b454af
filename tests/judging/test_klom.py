"""KLoM against the algorithm of the public code, and against divergences that are known."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from scipy.stats import norm

from scoring.judging.klom import FLOOR, Klom, klom, percentiles
from scoring.judging.outputs import Identity
from tests.judging.test_score import outputs

LARGEST = np.log(1 / FLOOR)


def naive(unlearned, retrained):
    """The published algorithm, one example and one bin at a time: half-open bins, so the largest value is in none."""
    found = []
    for example in range(unlearned.shape[1]):
        pools = [[min(max(value, -100.0), 100.0) for value in pool[:, example]] for pool in (unlearned, retrained)]
        low, high = min(map(min, pools)), max(map(max, pools))
        edges = np.linspace(low, high, 21)
        counts = [[sum(a <= value < b for value in pool) for a, b in pairwise(edges)] for pool in pools]
        p, q = ([count / sum(some) for count in some] for some in counts)
        found.append(sum(x * np.log(x / max(y, 1e-5)) for x, y in zip(p, q, strict=True) if x))
    return found


def pools(unlearned, retrained, models=64, examples=20, seed=0):
    """Pools of two normal distributions, each given as mean and standard deviation."""
    rng = np.random.default_rng(seed)
    return rng.normal(*unlearned, (models, examples)), rng.normal(*retrained, (models, examples))


@pytest.mark.parametrize("models", [2, 8, 100])
@pytest.mark.parametrize("distance", [0, 1, 20, -20])
def test_it_is_what_the_published_algorithm_finds(models, distance):
    both = pools((distance, 2), (0, 1), models)
    np.testing.assert_allclose(klom(*both), naive(*both), rtol=1e-12, atol=1e-12)


def test_a_single_clipped_margin_is_what_the_published_algorithm_finds():
    unlearned, retrained = pools((0, 30), (0, 1))
    unlearned[0], retrained[0] = -1e6, 1e6
    np.testing.assert_allclose(klom(unlearned, retrained), naive(unlearned, retrained), rtol=1e-12)


def test_pools_may_differ_in_size():
    unlearned, retrained = pools((1, 1), (0, 1))
    np.testing.assert_allclose(klom(unlearned[:9], retrained), naive(unlearned[:9], retrained), rtol=1e-12)


def test_large_pools_give_the_divergence_of_their_distributions():
    """Of N(1, 1) from N(0, 1) over the bins, which is a little below the 0.5 of the densities."""
    unlearned, retrained = pools((1, 1), (0, 1), models=200_000, examples=1)
    edges = np.linspace(min(unlearned.min(), retrained.min()), max(unlearned.max(), retrained.max()), 21)
    p, q = np.diff(norm.cdf(edges - 1)), np.diff(norm.cdf(edges))
    truth = np.sum(p * np.log(p / q))
    assert 0.45 < truth < 0.5
    assert klom(unlearned, retrained)[0] == pytest.approx(truth, abs=0.02)


def test_the_unlearned_pool_comes_first():
    """KL(N(0, 1) || N(0, 2)) is ln 2 - 3 / 8. The other way round it is 3 / 2 - ln 2, less what the floor takes off."""
    narrow, wide = pools((0, 1), (0, 2), models=200_000, examples=1)
    assert klom(narrow, wide)[0] == pytest.approx(np.log(2) - 3 / 8, abs=0.02)
    assert klom(wide, narrow)[0] > 0.6


@pytest.mark.parametrize("models", [1000, 4000])
def test_equal_distributions_give_the_divergence_of_noise(models):
    """On b bins that are equally likely, two samples of n have a divergence of (b - 1) / n on average."""
    rng = np.random.default_rng(0)
    found = klom(*rng.uniform(size=(2, models, 200)))
    assert found.mean() == pytest.approx(19 / models, rel=0.1)


def test_equal_pools_do_not_diverge():
    some, _ = pools((0, 1), (0, 1))
    np.testing.assert_array_equal(klom(some, some[::-1]), 0)


def test_two_collapsed_pools_diverge_fully_or_not_at_all():
    one = np.full((8, 3), 0.1)
    np.testing.assert_array_equal(klom(one, one), 0)
    np.testing.assert_allclose(klom(one + 1, one), LARGEST)
    np.testing.assert_allclose(klom(one - 1, one), LARGEST)


@pytest.mark.parametrize("margin", [-50, 50, 1e9])
def test_a_pool_that_collapsed_far_away_diverges_fully(margin):
    """Above the retrained pool as well as below, although the published code leaves out what is largest."""
    _, retrained = pools((0, 1), (0, 1))
    np.testing.assert_allclose(klom(np.full((8, 20), float(margin)), retrained), LARGEST)


def test_models_that_share_the_largest_margin_count():
    unlearned, retrained = np.array([[0.0], [0.0], [1.0], [1.0]]), np.zeros((4, 1))
    assert klom(unlearned, retrained)[0] == pytest.approx(0.5 * np.log(0.5 / 1) + 0.5 * np.log(0.5 / FLOOR))


def test_a_bin_that_no_retrained_model_is_in_counts_as_the_floor():
    """Of 4 unlearned models, 2 are where no retrained one is; the largest margin, a retrained model's, is in no bin."""
    unlearned = np.array([[0.0], [0.0], [5.0], [5.0]])
    retrained = np.array([[0.0], [0.0], [0.0], [10.0]])
    assert klom(unlearned, retrained)[0] == pytest.approx(0.5 * np.log(0.5 / 1) + 0.5 * np.log(0.5 / FLOOR))


def test_it_leaves_its_input_alone():
    both = pools((0, 90), (0, 90))
    before = [pool.copy() for pool in both]
    klom(*both)
    np.testing.assert_array_equal(both, before)


def test_what_is_reported_is_the_95th_percentile_of_each_set():
    forget, test = pools((1, 1), (0, 1)), pools((3, 1), (0, 1), examples=41)
    both = [outputs(f, test_confidence=t) for f, t in zip(forget, test, strict=True)]
    assert percentiles(*both) == Klom(*(float(np.percentile(klom(*one), 95)) for one in (forget, test)))
    # The 95th percentile of 41 numbers is one of them.
    assert percentiles(*both).test == sorted(klom(*test))[38]


def test_pools_that_do_not_belong_together_are_refused():
    one = outputs(np.zeros((8, 3)))
    with pytest.raises(ValueError, match="one task"):
        percentiles(one, replace(one, identity=Identity("other", 0, "")))


@pytest.mark.parametrize(
    ("unlearned", "retrained", "message"),
    [
        (np.zeros((8, 3)), np.zeros((8, 4)), "same F"),
        (np.zeros((8, 0)), np.zeros((8, 0)), "F >= 1"),
        (np.zeros(8), np.zeros((8, 1)), "models >= 2"),
        (np.zeros((1, 3)), np.zeros((8, 3)), "models >= 2"),
        (np.full((8, 3), np.inf), np.zeros((8, 3)), "finite"),
    ],
)
def test_what_makes_no_sense_is_refused(unlearned, retrained, message):
    with pytest.raises(ValueError, match=message):
        klom(unlearned, retrained)
