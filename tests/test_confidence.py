from pathlib import Path

import numpy as np
import pytest

from scoring import logit_scaled_confidence

GOLDEN = np.load(Path(__file__).parent / "data/logit_scaled_confidence.npz")


@pytest.mark.parametrize("case", sorted({key.split("/")[0] for key in GOLDEN}))
def test_golden(case):
    found = logit_scaled_confidence(GOLDEN[f"{case}/logits"], GOLDEN[f"{case}/labels"])
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, GOLDEN[f"{case}/confidence"], rtol=0, atol=1e-12)


def test_with_two_classes_it_is_the_difference_of_the_logits():
    logits = np.array([[1.0, -2.0], [0.5, 0.25]])
    np.testing.assert_allclose(logit_scaled_confidence(logits, np.array([0, 1])), [3.0, -0.25], atol=1e-12)


def test_a_saturated_network_stays_finite():
    found = logit_scaled_confidence(np.array([[1e4, 0.0], [0.0, 1e4]], np.float32), np.array([0, 0]))
    np.testing.assert_allclose(found, [-np.log(1e-45), np.log(1e-45)], rtol=1e-6)


def test_inputs_are_left_alone():
    logits = np.random.default_rng(0).normal(size=(5, 3))
    before = logits.copy()
    logit_scaled_confidence(logits, np.zeros(5, int))
    np.testing.assert_array_equal(logits, before)


@pytest.mark.parametrize(
    ("logits", "labels", "message"),
    [
        (np.zeros(3), np.zeros(3, int), "expected .examples, classes >= 2., found shape .3,."),
        (np.zeros((3, 1)), np.zeros(3, int), "found shape .3, 1."),
        (np.zeros((3, 2), int), np.zeros(3, int), "expected floating point numbers, found int"),
        (np.zeros((3, 2)), np.zeros(2, int), "expected 3 integers"),
        (np.zeros((3, 2)), np.zeros(3), "expected 3 integers"),
        (np.zeros((3, 2)), np.array([0, 1, 2]), "expected values from 0 to 1, found 0 to 2"),
        (np.zeros((3, 2)), np.array([0, 1, -1]), "expected values from 0 to 1, found -1 to 1"),
        (np.array([[0, np.nan]]), np.array([0]), "1 of 1 examples have a NaN or infinite logit"),
    ],
)
def test_bad_input(logits, labels, message):
    with pytest.raises(ValueError, match=message):
        logit_scaled_confidence(logits, labels)
