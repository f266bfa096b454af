"""The population attack against loops over all comparisons, and on pools for which the right result is known."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.metrics import roc_auc_score

from scoring.judging.membership import FEWEST_EXAMPLES
from scoring.judging.outputs import Identity
from scoring.judging.population import population_attack
from tests.judging.test_score import outputs


def pool(forget, test, models=8, examples=(40, 60), seed=0):
    """Confidences around these means, with standard deviation 1."""
    rng = np.random.default_rng(seed)
    return outputs(
        rng.normal(forget, 1, (models, examples[0])), test_confidence=rng.normal(test, 1, (models, examples[1]))
    )


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def ratios(attacked, reference):
    """One model's probability of each example over the mean of what it is without and with the example."""
    found = []
    for example, confidence in enumerate(attacked):
        without = np.mean([sigmoid(model[example]) for model in reference])
        found.append(sigmoid(confidence) / ((without + (0.3 * without + 0.7)) / 2))
    return found


def naive(unlearned, retrained):
    """The areas that follow from the scores of RMIA as published, and from comparing all pairs."""
    of_scores, of_pairs = [], []
    for forget, test in zip(unlearned.forget_confidence, unlearned.test_confidence, strict=True):
        members = ratios(forget, retrained.forget_confidence)
        others = ratios(test, retrained.test_confidence)
        scores = [np.mean([x / z >= 1 for z in others]) for x in members]
        for one, x in enumerate(others):
            scores.append(np.mean([x / z >= 1 for other, z in enumerate(others) if other != one]))
        of_scores.append(roc_auc_score([1] * len(members) + [0] * len(others), scores))
        of_pairs.append(np.mean([(x > z) + (x == z) / 2 for x in members for z in others]))
    return np.mean(of_scores), np.mean(of_pairs)


@pytest.mark.parametrize(("forget", "test", "models"), [(1, 1, 8), (2, 0, 8), (-1, 1, 1)])
def test_it_is_what_comparing_all_pairs_finds(forget, test, models):
    unlearned, retrained = pool(forget, test, models), pool(0, 0.5, 9, seed=1)
    found = population_attack(unlearned, retrained)
    of_scores, of_pairs = naive(unlearned, retrained)
    assert found == pytest.approx(of_pairs, abs=1e-12)
    # A score cannot exceed 1, so a forget example above all test examples ties with the best of these.
    assert found == pytest.approx(of_scores, abs=1 / 60)


def test_equal_pools_give_a_guess():
    assert population_attack(pool(1, 1, 64), pool(1, 1, 64, seed=1)) == pytest.approx(0.5, abs=0.02)


def test_it_allows_for_how_hard_each_example_is():
    """Hard and easy examples are so far apart that confidences alone hardly tell that the forget set was learned."""
    rng = np.random.default_rng(0)
    forget, test = rng.normal(0, 5, 200), rng.normal(0, 5, 300)
    unlearned, retrained = pool(forget + 2, test, 64, (200, 300)), pool(forget, test, 64, (200, 300), seed=1)
    blind = pool(0, 0, 64, (200, 300), seed=2)
    assert population_attack(unlearned, retrained) > population_attack(unlearned, blind) + 0.1


def test_an_exact_method_gets_what_halves_of_the_retrained_pool_get():
    """It is not 0.5 here, because the forget set is harder than the test set."""
    unlearned, retrained = pool(0, 2, 256), pool(0, 2, 256, seed=1)
    halves = retrained.take(slice(0, None, 2)), retrained.take(slice(1, None, 2))
    assert population_attack(*halves) < 0.45
    assert population_attack(unlearned, retrained) == pytest.approx(population_attack(*halves), abs=0.02)


@pytest.mark.parametrize("shift", [0.5, 1.0, 2.0, -1.0])
def test_a_known_shift_gives_the_area_of_two_gaussians(shift):
    """All examples are equally hard, so the ratio rises with the confidence alone."""
    found = population_attack(pool(shift, 0, 256), pool(0, 0, 4000, seed=1))
    assert found == pytest.approx(norm.cdf(shift / 2**0.5), abs=0.02)


def test_sets_that_are_far_apart_are_told_apart_without_error():
    assert population_attack(pool(20, -20), pool(-20, -20, seed=1)) == 1
    assert population_attack(pool(-20, 20), pool(20, 20, seed=1)) == 0


def test_collapsed_pools_are_a_tie():
    same = outputs(np.full((8, 30), 0.1), test_confidence=np.full((8, 60), 0.1))
    assert population_attack(same, same) == 0.5


@pytest.mark.parametrize("confidence", [-103.6, 40, 103.6])
def test_certainty_is_finite_and_still_ranked(confidence):
    """A probability of 1 - 1e-17 is not a float, but the larger confidence is still the larger one."""
    reference = outputs(np.full((8, 30), confidence), test_confidence=np.full((8, 60), confidence))
    higher = replace(reference, forget_confidence=reference.forget_confidence + 0.5)
    assert population_attack(higher, reference) == 1
    assert population_attack(reference, reference) == 0.5


def test_ratios_of_near_certain_answers_are_precise():
    """The forget examples have gained confidence, the test examples have more of it. All probabilities round to 1."""
    reference = outputs(np.full((8, 30), 38.0), test_confidence=np.full((8, 60), 40.0))
    assert population_attack(replace(reference, forget_confidence=np.full((8, 30), 39.0)), reference) == 1


@pytest.mark.parametrize(("forget", "test"), [(1, 60), (FEWEST_EXAMPLES - 1, 60), (40, FEWEST_EXAMPLES - 1)])
def test_too_few_examples_are_not_attacked(forget, test):
    few = pool(1, 1, examples=(forget, test))
    assert population_attack(few, few) is None


def test_the_fewest_examples_and_a_single_model_are_attacked():
    few = pool(20, -20, models=1, examples=(FEWEST_EXAMPLES, FEWEST_EXAMPLES))
    assert population_attack(few, replace(few, forget_confidence=few.forget_confidence - 40)) == 1


def test_it_is_deterministic_and_leaves_its_input_alone():
    unlearned, retrained = pool(1, 0), pool(0, 0, seed=1)
    before = unlearned.test_confidence.copy(), retrained.test_confidence.copy()
    assert population_attack(unlearned, retrained) == population_attack(unlearned, retrained)
    np.testing.assert_array_equal((unlearned.test_confidence, retrained.test_confidence), before)


@pytest.mark.parametrize("examples", [(41, 60), (40, 61)])
def test_pools_with_different_examples_are_refused(examples):
    with pytest.raises(ValueError, match="same numbers"):
        population_attack(pool(1, 1), pool(1, 1, examples=examples))


def test_pools_that_do_not_belong_together_are_refused():
    with pytest.raises(ValueError, match="one task"):
        population_attack(pool(1, 1), replace(pool(1, 1), identity=Identity("other", 0, "")))
