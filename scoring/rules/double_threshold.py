"""The challenge's second family: positive when the confidence lies between two thresholds."""

import numpy as np
from numpy.typing import NDArray

THRESHOLDS_PER_UNIT = 100
BUFFER = 2.0
"""How far, in units of confidence, either end of the interval moves around the narrower pool's range."""


def error_counts(
    positive: NDArray[np.float64], negative: NDArray[np.float64]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Errors of some 160,000 intervals about as wide as the narrower pool, which counts as positive here.

    The right end takes about 400 places around the narrower pool's maximum, and for each of them the left
    end takes 400 places around one range further left. All of it in float64, as the evaluator does.

    Args:
        positive: [N] confidences of the pool with the larger median.
        negative: [N] confidences of the other pool. It becomes the positive one if its range is the
            narrower of the two, and at a tie.

    Returns:
        False positives and false negatives, [R] counts in [0, N] for the R intervals.
    """
    if np.ptp(positive) >= np.ptp(negative):
        positive, negative = negative, positive
    width = np.ptp(positive)
    first, last = positive.min() + width - BUFFER, positive.max() + BUFFER
    right = np.linspace(first, last, int(np.ceil((last - first) * THRESHOLDS_PER_UNIT)))
    lefts = int(np.ceil(2 * BUFFER * THRESHOLDS_PER_UNIT))
    left = np.linspace(right - width - BUFFER, right - width + BUFFER, lefts, axis=1)

    false_positives = _inside(negative, left, right)
    false_negatives = len(positive) - _inside(positive, left, right)
    return false_positives.ravel(), false_negatives.ravel()


def _inside(
    confidences: NDArray[np.float64], left: NDArray[np.float64], right: NDArray[np.float64]
) -> NDArray[np.intp]:
    """How many of [N] confidences lie in [left[r, l], right[r]], for each r and l."""
    ordered = np.sort(confidences)
    up_to_right = np.searchsorted(ordered, right, side="right")
    before_left = np.searchsorted(ordered, left, side="left")
    # An empty interval (left beyond right) would count negative.
    return np.maximum(up_to_right[:, None] - before_left, 0)
