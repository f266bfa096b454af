"""U-LiRA against a loop over models and examples, and against pools whose best attack is known in closed form."""

import numpy as np
import pytest
from scipy.stats import norm

from scoring.judging.u_lira import SMALLEST_SPREAD, u_lira


def gaussians(unlearned, retrained, models=256, examples=100, seed=0):
    """Pools of two normal distributions, each given as mean and standard deviation."""
    rng = np.random.default_rng(seed)
    return rng.normal(*unlearned, (models, examples)), rng.normal(*retrained, (models, examples))


def naive(unlearned, retrained):
    """The accuracy and the log-likelihood ratios of unlearned and of retrained models, one attack at a time."""
    correct, ratios = {0: [], 1: []}, {0: [], 1: []}
    for is_retrained, pool in enumerate((unlearned, retrained)):
        for model in range(len(pool)):
            for example in range(pool.shape[1]):
                shadows = [
                    [other[i, example] for i in range(len(other)) if i % 2 != model % 2]
                    for other in (unlearned, retrained)
                ]
                as_unlearned, as_retrained = (
                    norm.logpdf(pool[model, example], np.mean(shadow), np.std(shadow)) for shadow in shadows
                )
                ratios[is_retrained].append(as_unlearned - as_retrained)
                correct[is_retrained].append((as_unlearned > as_retrained) != bool(is_retrained))
    return (np.mean(correct[0]) + np.mean(correct[1])) / 2, ratios[0], ratios[1]


@pytest.mark.parametrize(("models", "others"), [(8, 8), (9, 8), (4, 30)])
def test_it_is_what_a_loop_over_models_and_examples_finds(models, others):
    rng = np.random.default_rng(models)
    unlearned, retrained = rng.normal(1, 2, (models, 7)), rng.normal(0, 1, (others, 7))
    found = u_lira(unlearned, retrained)
    accuracy, ratios, mistaken = naive(unlearned, retrained)
    assert found.accuracy == pytest.approx(accuracy, abs=1e-12)
    threshold = sorted(mistaken, reverse=True)[len(mistaken) // 100]
    assert found.true_positive_rate == pytest.approx(np.mean(np.array(ratios) > threshold), abs=1e-12)


@pytest.mark.parametrize("shift", [0.5, 1.0, 2.0, -3.0])
def test_shifted_gaussians_are_told_apart_as_well_as_can_be(shift):
    """With equal spreads, the likelihood ratio is a threshold: halfway, or at the 99% quantile."""
    found = u_lira(*gaussians((shift, 1), (0, 1)))
    assert found.accuracy == pytest.approx(norm.cdf(abs(shift) / 2), abs=0.01)
    assert found.true_positive_rate == pytest.approx(norm.cdf(abs(shift) - norm.ppf(0.99)), abs=0.03)


def test_it_sees_a_spread_that_no_threshold_does():
    """The densities of N(0, 3) and N(0, 1) cross where x ** 2 = 2 * 9 * ln(3) / 8."""
    found = u_lira(*gaussians((0, 3), (0, 1)))
    cross = (2 * 9 * np.log(3) / 8) ** 0.5
    inside = [1 - 2 * norm.sf(cross / spread) for spread in (3, 1)]
    assert found.accuracy == pytest.approx((1 - inside[0] + inside[1]) / 2, abs=0.01)
    assert found.true_positive_rate == pytest.approx(2 * norm.sf(norm.ppf(0.995) / 3), abs=0.03)


@pytest.mark.parametrize("models", [8, 256])
def test_equal_distributions_are_guessed(models):
    """Shadow models and targets are different models: an attacker that tests what it fitted would do better."""
    found = u_lira(*gaussians((2, 1), (2, 1), models, examples=25_000 // models))
    assert found.accuracy == pytest.approx(0.5, abs=0.01)
    assert found.true_positive_rate == pytest.approx(0.01, abs=0.005)


def test_disjoint_pools_are_told_apart_without_error():
    found = u_lira(*gaussians((50, 1), (0, 1)))
    assert (found.accuracy, found.true_positive_rate) == (1, 1)


def test_a_collapsed_pool_is_told_from_one_that_is_not():
    _, retrained = gaussians((0, 1), (0, 1))
    found = u_lira(np.zeros_like(retrained), retrained)
    assert (found.accuracy, found.true_positive_rate) == (1, 1)


@pytest.mark.parametrize(("difference", "accuracy", "rate"), [(0, 0.5, 0.01), (1, 1, 1), (SMALLEST_SPREAD * 9, 1, 1)])
def test_two_collapsed_pools_are_told_apart_if_they_differ(difference, accuracy, rate):
    found = u_lira(np.full((8, 5), 0.1 + difference), np.full((8, 5), 0.1))
    assert found.accuracy == accuracy
    assert found.true_positive_rate == pytest.approx(rate, abs=1e-12)


def test_collapsed_pools_of_different_sizes_that_answer_alike_are_guessed():
    """The mean of equal numbers is not exactly that number, and it depends on how many there are."""
    assert u_lira(np.full((100, 5), 0.1), np.full((14, 5), 0.1)).accuracy == pytest.approx(0.5)


def test_a_tie_is_half_a_correct_guess():
    """Both halves have mean 1 or -1 and standard deviation 1, so half of the unlearned models, at 0, are a tie."""
    unlearned, retrained = np.repeat([0.0, 2.0], 2), np.repeat([-3.0, -1, -1, -1, -1, -1, -1, 1], 2)
    assert u_lira(unlearned[:, None], retrained[:, None]).accuracy == (3 / 4 + 7 / 8) / 2


def test_pools_of_different_sizes_count_equally():
    unlearned, retrained = gaussians((1, 1), (0, 1), models=400)
    assert u_lira(unlearned, retrained[:40]).accuracy == pytest.approx(norm.cdf(0.5), abs=0.02)


def test_one_example_is_enough():
    found = u_lira(*gaussians((1, 1), (0, 1), models=4000, examples=1))
    assert found.accuracy == pytest.approx(norm.cdf(0.5), abs=0.02)


def test_it_is_deterministic_and_leaves_its_input_alone():
    pools = gaussians((1, 1), (0, 1), models=8)
    before = [pool.copy() for pool in pools]
    assert u_lira(*pools) == u_lira(*pools)
    np.testing.assert_array_equal(pools, before)


@pytest.mark.parametrize(
    ("unlearned", "retrained", "message"),
    [
        (np.zeros((8, 3)), np.zeros((8, 4)), "same F"),
        (np.zeros((8, 0)), np.zeros((8, 0)), "F >= 1"),
        (np.zeros(8), np.zeros((8, 1)), "models >= 4"),
        (np.zeros((3, 3)), np.zeros((8, 3)), "models >= 4"),
        (np.full((8, 3), np.nan), np.zeros((8, 3)), "finite"),
    ],
)
def test_what_makes_no_sense_is_refused(unlearned, retrained, message):
    with pytest.raises(ValueError, match=message):
        u_lira(unlearned, retrained)
