"""The second family again, many times faster, on the grid that the evaluator's arithmetic approximates.

In exact arithmetic all left ends lie on one grid, and few of the 160,000 intervals hold different confidences. Rounding
moves the evaluator's own ends in the last bits, or adds one more right end, so that an epsilon differs now and then.
Hence the official score keeps the evaluator's bits; error bars, which need hundreds of scores, use this.
"""

import numpy as np
from numpy.typing import NDArray

from scoring.judging.rules.double_threshold import BUFFER, THRESHOLDS_PER_UNIT

ENDS = round(2 * BUFFER * THRESHOLDS_PER_UNIT)
"""Right ends, and left ends per right end."""

STEP = 2 * BUFFER / (ENDS - 1)
ROUNDING = 1e-9
"""Of a step: so near to the grid, a confidence lies on it."""


def error_counts(
    positive: NDArray[np.float64], negative: NDArray[np.float64]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Errors of the intervals of ``double_threshold``, without repetitions.

    Right ends are numbered from 0, and so are left ends, such that right end i goes with the left ends i to
    i + ENDS - 1.

    Args:
        positive: [N] confidences of the pool with the larger median.
        negative: [N] confidences of the other pool. It becomes the positive one if its range is not the wider one.

    Returns:
        False positives and false negatives, [R] counts in [0, N].
    """
    if np.ptp(positive) >= np.ptp(negative):
        positive, negative = negative, positive
    both = np.concatenate([positive, negative])
    order = np.argsort(both)
    both = both[order]
    positives = np.concatenate([[0], np.cumsum(order < len(positive))])
    negatives = np.arange(len(positives)) - positives

    # The first right end that is not below a confidence, and the first left end that is above it.
    reached = np.ceil((both - positive.max() + BUFFER) / STEP - ROUNDING)
    passed = np.floor((both - positive.min() + 2 * BUFFER) / STEP + ROUNDING) + 1
    right, first_right, last_right = _groups(reached, ENDS)
    left, first_left, last_left = _groups(passed, 2 * ENDS - 1)
    exists = last_left >= first_right[:, None]
    exists &= first_left < last_right[:, None] + ENDS
    exists &= left <= right[:, None]
    false_positives = (negatives[right][:, None] - negatives[left])[exists]
    false_negatives = (len(positive) - positives[right][:, None] + positives[left])[exists]
    return false_positives, false_negatives


def _groups(entered: NDArray[np.float64], ends: int) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
    """The ends that have the same number of confidences below them: that number, the first end and the last one."""
    bounds = np.concatenate([[0], np.clip(entered, 0, ends), [ends]]).astype(np.intp)
    below = np.flatnonzero(bounds[:-1] < bounds[1:])
    return below, bounds[below], bounds[below + 1] - 1
