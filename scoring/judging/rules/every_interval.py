"""Every threshold and every interval, without a grid: the strongest attack with the challenge's kinds of rules."""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray


def error_counts(
    positive: NDArray[np.float64], negative: NDArray[np.float64]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Errors of the rules "inside an interval", for all intervals and with each pool in turn as the positive one.

    A threshold is an interval that is unbounded on one side, and "outside" is "inside" with the pools swapped, so
    this covers every threshold and every interval. Epsilon falls as false positives grow, except that the evaluator
    discards a rule with exactly one kind of error. So for each number of true positives, only the interval with the
    fewest false positives above zero matters, and besides these the interval without any error.

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

    A boundary lies between two neighbouring distinct values. Among the boundaries with p inner values below them,
    ``low[p]`` and ``high[p]`` are the smallest and the largest number of outer values below. An interval from a
    boundary with p inner values below it to one with p + t has t true positives, and at least
    ``low[p + t] - high[p]`` false ones.
    """
    size = len(inner)
    inner, outer = np.sort(inner), np.sort(outer)
    low = np.concatenate([[0], np.searchsorted(outer, inner, side="right")])
    high = np.concatenate([np.searchsorted(outer, inner, side="left"), [size]])
    no_error = low[-1:] - high[:1], np.zeros(1, dtype=np.intp)

    # An interval without a false positive is discarded. The next best one extends to the next outer value, and to all
    # values equal to it, at its right or its left end, if the gap there contains an outer value.
    gap = low < high
    next_low = np.searchsorted(outer, outer[np.minimum(low, size - 1)], side="right")
    next_high = np.searchsorted(outer, outer[np.maximum(high - 1, 0)], side="left")

    # There is no boundary between equal inner values. Placed far away, it never gives the fewest.
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
    """For each t, the smallest ``low[p + t] - high[p]`` above zero over all p, or a number above N if there is none."""
    counts = np.uint16 if 4 * far < np.iinfo(np.uint16).max else np.uint32
    padded = np.concatenate([low, np.full(len(low) - 1, far)]).astype(counts)
    # Subtracting one in unsigned arithmetic turns zeros, and the negative numbers at t = 0, into the largest numbers.
    one_less = sliding_window_view(padded, len(low)) - (high + 1).astype(counts)[:, None]
    return one_less.min(axis=0).astype(np.intp) + 1
