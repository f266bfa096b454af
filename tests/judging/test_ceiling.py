"""The ceiling: random halves of one pool against each other, on Gaussian pools where the distribution is known."""

import numpy as np
import pytest

from scoring import Identity, epsilons, forgetting_quality
from scoring.judging import ceiling
from scoring.judging.ceiling import SPLITS, Ceiling, models_needed, score_of_split
from tests.judging.test_score import outputs


@pytest.fixture
def halves(monkeypatch):
    """The models in both halves of a split, by seed; ``outputs`` numbers them from 0."""
    monkeypatch.setattr(ceiling, "score", lambda one, other, accuracy: (one.seeds.tolist(), other.seeds.tolist()))
    return lambda models, split, seed=0: score_of_split(outputs(pool(models, 3, seed)), split)


def pool(models, examples, seed):
    """[models, examples] confidences, all of one distribution."""
    return np.random.default_rng(seed).normal(size=(models, examples))


@pytest.mark.parametrize("models", [4, 5, 32, 33])
def test_a_split_gives_two_disjoint_halves(halves, models):
    for split in range(SPLITS):
        one, other = halves(models, split)
        assert len(one) == len(other) == models // 2
        # All models of an even pool; one of an odd pool is left out.
        assert len({*one, *other}) == models // 2 * 2
        assert {*one, *other} <= set(range(models))


def test_an_odd_pool_does_not_always_leave_out_the_same_model(halves):
    left_out = {*range(33)}
    for split in range(SPLITS):
        one, other = halves(33, split)
        left_out &= {*range(33)} - {*one, *other}
    assert not left_out


def test_a_split_depends_on_its_number_and_not_on_the_answers(halves):
    assert halves(32, 3, seed=0) == halves(32, 3, seed=1)
    assert len({str(halves(32, split)) for split in range(SPLITS)}) == SPLITS


def test_a_split_is_a_score_of_one_half_against_the_other():
    models = outputs(pool(8, 3, 0), retain_accuracy=np.arange(1, 9) / 8)
    found = score_of_split(models, 0)
    one, other = np.split(np.random.default_rng([8, 0]).permutation(8), 2)
    np.testing.assert_array_equal(
        found.epsilon, epsilons(models.forget_confidence[one], models.forget_confidence[other])
    )
    assert found.retain_ratio == models.retain_accuracy[one].mean() / models.retain_accuracy[other].mean()
    of_task = outputs(pool(8, 3, 1), identity=Identity("digits", 0, "the task's own"), retain_accuracy=np.ones(8))
    assert score_of_split(models, 0, of_task).retain_ratio == models.retain_accuracy[one].mean()


@pytest.mark.parametrize(("models", "needed"), [(8, 16), (31, 62), (32, 32), (33, 33), (512, 512)])
def test_small_pools_need_twice_as_many_models(models, needed):
    assert models_needed(models) == needed


@pytest.fixture(scope="module")
def gaussian():
    """The ceiling of a pool of 32 models over 16 examples."""
    models = outputs(pool(32, 16, 0))
    return Ceiling(tuple(score_of_split(models, split) for split in range(SPLITS)))


@pytest.fixture(scope="module")
def draws():
    """The forgetting quality of 40 independent pairs of pools of 16 models, all of one distribution."""
    pairs = [np.split(pool(32, 16, 1 + draw), 2) for draw in range(40)]
    return np.array([forgetting_quality(epsilons(*pair), 16) for pair in pairs])


def test_pools_of_one_distribution_have_a_forgetting_quality_of_about_019(gaussian, draws):
    assert gaussian.forgetting_quality == pytest.approx(0.19, abs=0.02)
    assert gaussian.forgetting_quality == pytest.approx(draws.mean(), abs=0.015)
    # All accuracies are equal here.
    assert gaussian.value == gaussian.forgetting_quality


def test_95_percent_of_independent_draws_lie_in_the_band(gaussian, draws):
    low, high = gaussian.band
    assert 0 <= low < gaussian.value < high
    assert 0.85 <= np.mean((low <= draws) & (draws <= high)) <= 1
    # A band of half its width would hold two thirds of them.
    half = (high - low) / 4
    assert np.mean(np.abs(draws - gaussian.value) <= half) < 0.85


def test_the_epsilons_are_those_of_all_splits(gaussian):
    assert gaussian.epsilon.shape == gaussian.strongest_epsilon.shape == (SPLITS, 16)
    assert np.all(gaussian.strongest_epsilon >= gaussian.epsilon - 1e-6)
    np.testing.assert_array_equal(gaussian.epsilon[7], gaussian.scores[7].epsilon)
