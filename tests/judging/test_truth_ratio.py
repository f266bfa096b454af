"""TOFU's measures, against values worked by hand and figures that its own logs and published tables hold."""

import numpy as np
import pytest

from scoring.judging.truth_ratio import (
    forget_aggregate,
    forget_quality,
    model_utility,
    pool_forget_quality,
    probability,
    probability_among,
    retain_aggregate,
    truth_ratio,
)

RIGHT = (0.2, 1.5, 0.7)
WRONG = ((1, 2, 3, 0.5, 1.5), (1.2, 1.4, 1, 2.2, 0.7), (0.7,) * 5)


def test_the_worked_truth_ratios():
    np.testing.assert_allclose(truth_ratio(RIGHT, WRONG), (0.24659696394, 1.22140275816, 1), rtol=1e-10)
    arithmetic = truth_ratio(RIGHT, WRONG, mean="arithmetic")
    np.testing.assert_allclose(arithmetic, (0.33775758574, 1.36517544573, 1), rtol=1e-10)


def test_the_worked_aggregates():
    """They were worked with 1e-10 added to a denominator, as one public implementation has it."""
    ratios = truth_ratio(RIGHT, WRONG)
    assert forget_aggregate(ratios) == pytest.approx(0.68844257236, abs=1e-9)
    assert retain_aggregate(ratios) == pytest.approx(0.25113434543, abs=1e-9)


def test_pools_have_a_model_axis():
    ratios = truth_ratio([RIGHT, RIGHT], [WRONG, WRONG])
    assert ratios.shape == (2, 3)
    np.testing.assert_array_equal(ratios[1], truth_ratio(RIGHT, WRONG))


SMALL, LARGE = (0.1, 0.2, 0.3, 0.4, 0.5), (0.25, 0.35, 0.45, 0.55, 0.65, 0.75)


def test_the_worked_forget_quality():
    assert forget_quality(SMALL, LARGE) == pytest.approx(0.35714285714, rel=1e-10)
    assert forget_quality(SMALL, LARGE, method="asymp") == pytest.approx(0.33333333333, rel=1e-3)


@pytest.mark.parametrize(
    ("questions", "published"),
    [(40, 1.860340365603627e-23), (200, 1.9426434495222354e-119), (400, 1.0635896769518578e-239)],
)
def test_the_published_values_of_a_model_that_was_destroyed(questions, published):
    """Two disjoint samples, as gradient ascent leaves them: the last two stand in published tables."""
    ratios = np.arange(questions) / questions
    assert forget_quality(ratios, ratios + 2) == pytest.approx(published, rel=1e-6)


def test_it_does_not_matter_which_way_round_the_ratio_is():
    rng = np.random.default_rng(0)
    one, other = np.exp(rng.normal(size=40)), np.exp(rng.normal(0.5, 1, size=50))
    assert forget_quality(1 / one, 1 / other) == pytest.approx(forget_quality(one, other), rel=1e-12)


def test_pools_are_compared_model_by_model():
    rng = np.random.default_rng(0)
    one, other = rng.normal(size=(9, 60)), rng.normal(size=(9, 60))
    other[:3] += 3
    values = [forget_quality(*pair) for pair in zip(one, other, strict=True)]
    assert pool_forget_quality(one, other) == (np.median(values), np.mean(np.array(values) > 0.05))
    assert pool_forget_quality(one, other)[1] <= 6 / 9


def test_the_worked_utility():
    nine = (0.99, 0.98, 0.45, 0.44, 0.92, 0.58, 0.42, 0.88, 0.55)
    assert model_utility(nine) == pytest.approx(0.61341117385, rel=1e-10)
    assert model_utility({str(place): value for place, value in enumerate(nine)}) == model_utility(nine)
    assert model_utility((0.9, 0.0, 0.9)) == 0


def test_probabilities():
    assert probability([0, np.log(2)]) == pytest.approx(0.75)
    assert probability_among([np.log(2)], [[np.log(4), np.log(4)]]) == pytest.approx(0.5)


@pytest.mark.parametrize(
    "call",
    [
        lambda: truth_ratio([1, 2], [[1], [2], [3]]),
        lambda: truth_ratio([1], [[]]),
        lambda: truth_ratio([-1], [[1]]),
        lambda: truth_ratio([1], [[np.nan]]),
        lambda: truth_ratio([1], [[1]], mean="median"),
        lambda: forget_quality([], [1]),
        lambda: forget_quality([np.nan], [1]),
        lambda: forget_quality([1], [1], method="auto"),
        lambda: model_utility([]),
        lambda: model_utility([1.1]),
        lambda: pool_forget_quality(np.ones((2, 3)), np.ones((3, 3))),
    ],
)
def test_what_cannot_be_judged_is_refused(call):
    with pytest.raises(ValueError, match=r"expected|argument"):
        call()
