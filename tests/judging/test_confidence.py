"""The logit-scaled confidence: the challenge's own numbers for one class, the log-odds of the whole answer for more."""

from pathlib import Path

import numpy as np
import pytest

from scoring import logit_scaled_confidence
from scoring.judging.confidence import NOT_ASKED

GOLDEN = np.load(Path(__file__).parents[1] / "data/logit_scaled_confidence.npz")
CASES = sorted({key.split("/")[0] for key in GOLDEN})


@pytest.mark.parametrize("case", CASES)
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


@pytest.mark.parametrize("case", CASES)
def test_a_sequence_of_one_class_has_the_confidence_of_that_class(case):
    logits, labels = GOLDEN[f"{case}/logits"], GOLDEN[f"{case}/labels"]
    found = logit_scaled_confidence(logits[:, :, None], labels[:, None])
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, GOLDEN[f"{case}/confidence"], rtol=0, atol=1e-9)


@pytest.mark.parametrize("margin", [1e-3, 1, 17, 40, 87, 100, 103, 104, 1e4, 1e38])
@pytest.mark.parametrize("classes", [2, 10])
def test_a_sequence_of_one_class_agrees_on_saturated_float32_logits(margin, classes):
    logits = np.zeros((4, classes), np.float32)
    logits[0, 0] = logits[1, 1] = logits[3, :2] = margin
    logits[2, 0] = -margin
    labels = np.zeros(4, int)
    alone = logit_scaled_confidence(logits, labels)
    as_sequence = logit_scaled_confidence(logits[:, :, None], labels[:, None])
    np.testing.assert_allclose(as_sequence, alone, rtol=0, atol=1e-9)


def log_odds_naively(logits, labels):
    """The log-odds of the product of the probabilities of the classes that are asked for, one example at a time."""
    for example, wanted in zip(logits.astype(np.float64), labels, strict=True):
        probability = 1.0
        for position, label in enumerate(wanted):
            if label != NOT_ASKED:
                exponentials = np.exp(example[:, position])
                probability *= exponentials[label] / exponentials.sum()
        yield np.log(probability / (1 - probability))


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("scale", [0.1, 1, 3])
def test_a_sequence_has_the_log_odds_of_the_whole_answer(seed, scale):
    rng = np.random.default_rng(seed)
    logits, labels = scale * rng.normal(size=(30, 7, 4)), rng.integers(7, size=(30, 4))
    labels[rng.random(labels.shape) < 0.3] = NOT_ASKED
    labels[:, seed % 4] = 2
    expected = list(log_odds_naively(logits, labels))
    np.testing.assert_allclose(logit_scaled_confidence(logits, labels), expected, rtol=1e-9, atol=1e-9)
    in_float32 = logits.astype(np.float32)
    np.testing.assert_allclose(logit_scaled_confidence(in_float32, labels), expected, rtol=1e-4, atol=1e-4)


def test_a_sequence_of_confident_answers_keeps_its_digits():
    """L positions with the odds e^m : 1 each: 1 - p is L e^-m to first order, so the log-odds are m - ln L."""
    for margin, length in ((40, 2), (60, 5), (80, 50)):
        logits = np.zeros((1, 2, length))
        logits[:, 0] = margin
        found = logit_scaled_confidence(logits, np.zeros((1, length), int))
        np.testing.assert_allclose(found, margin - np.log(length), rtol=0, atol=1e-9)


def test_a_sequence_of_wrong_answers_has_the_sum_of_their_log_probabilities():
    """Their product is far below the smallest float64."""
    logits = np.zeros((1, 2, 30))
    logits[:, 0] = -60
    found = logit_scaled_confidence(logits, np.zeros((1, 30), int))
    np.testing.assert_allclose(found, -60 * 30, rtol=1e-12)


def test_positions_where_nothing_is_asked_are_ignored():
    rng = np.random.default_rng(0)
    logits, labels = rng.normal(size=(20, 5, 6)), rng.integers(5, size=(20, 6))
    labels[:, [0, 3]] = NOT_ASKED
    alone = logit_scaled_confidence(np.delete(logits, [0, 3], axis=2), np.delete(labels, [0, 3], axis=1))
    np.testing.assert_allclose(logit_scaled_confidence(logits, labels), alone, rtol=0, atol=1e-12)
    logits[:, :, [0, 3]] = 1e3 * rng.normal(size=(20, 5, 2))
    np.testing.assert_allclose(logit_scaled_confidence(logits, labels), alone, rtol=0, atol=1e-12)


@pytest.mark.parametrize("shape", [(5, 3), (5, 3, 4)])
def test_inputs_are_left_alone(shape):
    logits, labels = np.random.default_rng(0).normal(size=shape), np.zeros(shape[:1] + shape[2:], int)
    labels[..., -1] = NOT_ASKED if labels.ndim == 2 else 1
    before = logits.copy(), labels.copy()
    logit_scaled_confidence(logits, labels)
    np.testing.assert_array_equal(logits, before[0])
    np.testing.assert_array_equal(labels, before[1])


@pytest.mark.parametrize(
    ("logits", "labels", "message"),
    [
        (np.zeros(3), np.zeros(3, int), r"expected \[B, C\] or \[B, C, L\] with C >= 2, found shape \(3,\)"),
        (np.zeros((3, 1)), np.zeros(3, int), r"found shape \(3, 1\)"),
        (np.zeros((3, 1, 4)), np.zeros((3, 4), int), r"found shape \(3, 1, 4\)"),
        (np.zeros((3, 2, 4, 5)), np.zeros((3, 4, 5), int), r"found shape \(3, 2, 4, 5\)"),
        (np.zeros((3, 2), int), np.zeros(3, int), "expected floating point numbers, found int"),
        (np.zeros((3, 2)), np.zeros(2, int), r"expected integers of shape \(3,\), found shape \(2,\) of int"),
        (np.zeros((3, 2)), np.zeros(3), r"expected integers of shape \(3,\), found shape \(3,\) of float64"),
        (np.zeros((3, 2, 4)), np.zeros(3, int), r"expected integers of shape \(3, 4\), found shape \(3,\)"),
        (np.zeros((3, 2, 4)), np.zeros((4, 3), int), r"expected integers of shape \(3, 4\), found shape \(4, 3\)"),
        (np.zeros((3, 2)), np.array([0, 1, 2]), "expected classes 0 to 1, found 0 to 2"),
        (np.zeros((3, 2)), np.array([0, 1, -1]), "expected classes 0 to 1, found -1 to 1"),
        (np.zeros((1, 2)), np.array([NOT_ASKED]), "expected classes 0 to 1, found -100"),
        (np.zeros((1, 2, 3)), np.array([[0, NOT_ASKED, 2]]), "expected classes 0 to 1, found 0 to 2"),
        (np.zeros((1, 2, 3)), np.array([[0, NOT_ASKED, -1]]), "expected classes 0 to 1, found -1 to 0"),
        (np.zeros((2, 2, 2)), np.array([[0, 1], [NOT_ASKED] * 2]), "every example must ask for something"),
        (np.array([[0, np.nan]]), np.array([0]), "1 of 1 examples have a NaN or infinite logit"),
        (np.full((2, 2, 3), [[[0.0]], [[np.inf]]]), np.zeros((2, 3), int), "1 of 2 examples have a NaN or infinite"),
    ],
)
def test_bad_input(logits, labels, message):
    with pytest.raises(ValueError, match=message):
        logit_scaled_confidence(logits, labels)
