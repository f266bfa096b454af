"""The starting kit's membership attack on pools for which the right result is known."""

from dataclasses import replace

import numpy as np
import pytest

from scoring.judging.membership import FEWEST_EXAMPLES, attack_accuracy, losses
from tests.judging.test_score import outputs


def pool(forget, test):
    rng = np.random.default_rng(0)
    return replace(outputs(rng.normal(forget, 1, (8, 200))), test_confidence=rng.normal(test, 1, (8, 300)))


def test_losses_are_cross_entropies():
    probability = np.array([0.001, 0.3, 0.999])
    np.testing.assert_allclose(losses(np.log(probability / (1 - probability))), -np.log(probability))
    assert np.isfinite(losses(np.array([-103.6, 103.6]))).all()


def test_sets_with_equal_losses_give_a_guess():
    assert attack_accuracy(pool(2, 2)) == pytest.approx(0.5, abs=0.04)


def test_memorised_forget_examples_are_found():
    assert attack_accuracy(pool(9, -3)) > 0.95


def test_both_sets_count_equally_whatever_their_sizes():
    """Otherwise calling everything a forget example would be right in five of six cases."""
    assert attack_accuracy(replace(pool(2, 2), test_confidence=pool(2, 2).test_confidence[:, :40])) < 0.6


@pytest.mark.parametrize(("forget", "test"), [(FEWEST_EXAMPLES - 1, 300), (200, FEWEST_EXAMPLES - 1)])
def test_too_few_examples_are_not_attacked(forget, test):
    whole = pool(2, 2)
    few = replace(
        whole,
        forget_confidence=whole.forget_confidence[:, :forget],
        test_confidence=whole.test_confidence[:, :test],
    )
    assert attack_accuracy(few) is None


def test_the_fewest_examples_are_attacked():
    whole = pool(9, -3)
    assert attack_accuracy(replace(whole, forget_confidence=whole.forget_confidence[:, :FEWEST_EXAMPLES])) > 0.9


def test_it_is_deterministic_and_leaves_its_input_alone():
    some = pool(3, 2)
    before = some.forget_confidence.copy()
    assert attack_accuracy(some) == attack_accuracy(some)
    np.testing.assert_array_equal(some.forget_confidence, before)
