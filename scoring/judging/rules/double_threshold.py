"""The challenge's second family: positive when the confidence lies between two thresholds."""

import numpy as np
from numpy.typing import NDArray

THRESHOLDS_PER_UNIT = 100
BUFFER = 2.0
"""How far each end of the interval moves around the narrower pool's range, in units of confidence."""

CELLS = 2**14
"""Cells of the look-up table that replaces a binary search: enough that most of them contain no confidence."""


def error_counts(
    positive: NDArray[np.float64], negative: NDArray[np.float64]
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Errors of some 160,000 intervals about as wide as the narrower pool, which is the positive one here.

    The right end takes about 400 positions around the narrower pool's maximum. For each of them, the left end takes
    400 positions around the point one range further left. All arithmetic is in float64, as in the evaluator.

    Args:
        positive: [N] confidences of the pool with the larger median.
        negative: [N] confidences of the other pool. It becomes the positive one if its range is not the wider one.

    Returns:
        False positives and false negatives, [R] counts in [0, N] for the R intervals.
    """
    if np.ptp(positive) >= np.ptp(negative):
        positive, negative = negative, positive
    left, right = _ends(positive)

    both = np.concatenate([positive, negative])
    order = np.argsort(both, kind="stable")
    both = both[order]
    # How many of each pool are among the g smallest confidences of both, for every g.
    positives = np.concatenate([[0], np.cumsum(order < len(positive))]).astype(np.int32)
    negatives = np.arange(len(positives), dtype=np.int32) - positives

    up_to_right = np.searchsorted(both, right, side="right").astype(np.int32)[:, None]
    # An interval is empty if its left end lies beyond its right end.
    before_left = np.minimum(_count_below(both, left), up_to_right)
    false_positives = negatives[up_to_right] - negatives.take(before_left)
    false_negatives = len(positive) - positives[up_to_right] + positives.take(before_left)
    return false_positives.ravel(), false_negatives.ravel()


def interval(positive: NDArray[np.float64], negative: NDArray[np.float64], index: int) -> tuple[float, float, bool]:
    """The confidences that rule ``index`` of ``error_counts`` takes for one pool, and whether that is ``positive``."""
    first = np.ptp(positive) < np.ptp(negative)
    left, right = _ends(positive if first else negative)
    row, column = divmod(index, left.shape[1])
    return float(left[row, column]), float(right[row]), bool(first)


def _ends(narrow: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Left ends [R, L] and right ends [R] of the intervals, with the bits of one ``np.linspace`` per right end."""
    width = np.ptp(narrow)
    first, last = narrow.min() + width - BUFFER, narrow.max() + BUFFER
    right = np.linspace(first, last, int(np.ceil((last - first) * THRESHOLDS_PER_UNIT)))
    lefts = int(np.ceil(2 * BUFFER * THRESHOLDS_PER_UNIT))
    start, stop = right - width - BUFFER, right - width + BUFFER
    left = np.multiply.outer((stop - start) / (lefts - 1), np.arange(lefts, dtype=np.float64))
    left += start[:, None]
    left[:, -1] = stop
    return left, right


def _count_below(ordered: NDArray[np.float64], queries: NDArray[np.float64]) -> NDArray[np.int32]:
    """``np.searchsorted(ordered, queries)`` for very many queries. The first is the smallest, the last the largest.

    The range of the queries is cut into cells. Rounding preserves the order of numbers, so all values in the cells
    before a query's own are below it, and no value in the cells after is. Only a query whose own cell contains values
    needs a search.
    """
    low, high = queries.flat[0], queries.flat[-1]
    scale = (CELLS - 1) / (high - low)
    value_cells = np.clip((ordered - low) * scale, -1, CELLS).astype(np.int32)
    before_cell = np.searchsorted(value_cells, np.arange(CELLS + 1)).astype(np.int32)
    empty = before_cell[1:] == before_cell[:-1]
    offset = queries - low
    offset *= scale
    found = np.where(empty, before_cell[:-1], -1).take(offset.astype(np.int32)).ravel()
    unsure = np.flatnonzero(found < 0)
    found[unsure] = np.searchsorted(ordered, queries.ravel()[unsure])
    return found.reshape(queries.shape)
