"""Every threshold and every interval, with no grid: the strongest attack of the challenge's shape."""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray


def error_counts(
    positive: NDArray[np.float64], negative: NDArray[np.float64]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Errors of the rules "inside an interval", for all intervals and with either pool as the positive one.

    Thresholds are intervals that are open to one side, and "outside" is "inside" with the pools swapped, so
    nothing of the two shapes is left out. Epsilon falls as false positives grow, apart from the evaluator's
    habit of discarding a rule with exactly one kind of error. So for each number of true positives only the
    interval with the fewest false positives above zero can decide, and the one with no error at all.

    Args:
        positive: [N] confidences of one pool.
        negative: [N] confidences of the other. Swapping the pools changes nothing.

    Returns:
        False positives and false negatives, [R] counts in [0, N] for the undominated rules.
    """
    pools = (positive, negative), (negative, positive)
    false_positives, false_negatives = zip(*(_fewest_false_positives(*pair) for pair in pools), strict=True)
    return np.concatenate(false_positives), np.concatenate(false_negatives)


def _fewest_false_positives(
    inner: NDArray[np.float64], outer: NDArray[np.float64]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The same with ``inner`` as the positive pool: a sweep over the number of true positives.

    A boundary is a place between two neighbouring distinct values. ``low[p]`` and ``high[p]`` are the smallest
    and the largest number of outer values below a boundary that has p inner values below it; an interval from
    a boundary with p to one with p + t has t true positives and at best ``low[p + t] - high[p]`` false ones.
    """
    size = len(inner)
    inner, outer = np.sort(inner), np.sort(outer)
    low = np.concatenate([[0], np.searchsorted(outer, inner, side="right")])
    high = np.concatenate([np.searchsorted(outer, inner, side="left"), [size]])
    no_error = low[-1:] - high[:1], np.zeros(1, dtype=np.intp)

    # Where the best interval has no false positive it is discarded, and the next best takes in one outer
    # value more, and what equals it, at its right end or at its left end: if there is one in the gap.
    gap = low < high
    next_low = np.searchsorted(outer, outer[np.minimum(low, size - 1)], side="right")
    next_high = np.searchsorted(outer, outer[np.maximum(high - 1, 0)], side="left")

    # No boundary runs between equal inner values; far away it never has the fewest.
    exists = np.concatenate([[True], inner[:-1] < inner[1:], [True]])
    far = 2 * size + 1
    low, next_low = np.where(exists, low, far), np.where(gap, next_low, far)
    high, next_high = np.where(exists, high, -far), np.where(gap, next_high, -far)

    fewest = np.minimum.reduce([_sweep(low, high, far), _sweep(next_low, high, far), _sweep(low, next_high, far)])
    true_positives = np.flatnonzero(fewest <= size)
    return (
        np.concatenate([fewest[true_positives], no_error[0]]),
        np.concatenate([size - true_positives, no_error[1]]),
    )


def _sweep(low: NDArray[np.intp], high: NDArray[np.intp], far: int) -> NDArray[np.intp]:
    """For each t, the smallest ``low[p + t] - high[p]`` above zero over all p, or something beyond N."""
    counts = np.uint16 if 4 * far < np.iinfo(np.uint16).max else np.uint32
    padded = np.concatenate([low, np.full(len(low) - 1, far)]).astype(counts)
    # One less, in unsigned arithmetic, makes a zero (and the negative ones at t = 0) the largest of all.
    one_less = sliding_window_view(padded, len(low)) - (high + 1).astype(counts)[:, None]
    return one_less.min(axis=0).astype(np.intp) + 1
