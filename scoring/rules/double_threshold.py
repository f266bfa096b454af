"""The challenge's second family: positive when the confidence lies between two thresholds."""

import numpy as np
from numpy.typing import NDArray

THRESHOLDS_PER_UNIT = 100
BUFFER = 2.0
"""How far, in units of confidence, either end of the interval moves around the narrower pool's range."""

CELLS = 2**14
"""Of the look-up that stands for a binary search: so many that most of them have no confidence in them."""


def error_counts(
    positive: NDArray[np.float64], negative: NDArray[np.float64]
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
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
    left, right = _ends(positive)

    both = np.concatenate([positive, negative])
    order = np.argsort(both, kind="stable")
    both = both[order]
    # How many of either pool are among the first g of both.
    positives = np.concatenate([[0], np.cumsum(order < len(positive))]).astype(np.int32)
    negatives = np.arange(len(positives), dtype=np.int32) - positives

    up_to_right = np.searchsorted(both, right, side="right").astype(np.int32)[:, None]
    # An interval whose left end lies beyond its right end is empty.
    before_left = np.minimum(_count_below(both, left), up_to_right)
    false_positives = negatives[up_to_right] - negatives.take(before_left)
    false_negatives = len(positive) - positives[up_to_right] + positives.take(before_left)
    return false_positives.ravel(), false_negatives.ravel()


def _ends(narrow: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Left ends [R, L] and right ends [R] of the intervals, to the bit those of ``np.linspace`` for each right end."""
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
    """``np.searchsorted(ordered, queries)`` for very many queries, the first the smallest and the last the largest.

    Their range is cut into cells. Since rounding keeps the order of numbers, a query has below it all values of the
    cells before its own and none of those after; only in a cell that has values itself is there anything to search.
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
