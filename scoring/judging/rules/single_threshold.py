"""The challenge's first family: positive when the confidence reaches a threshold."""

import numpy as np
from numpy.typing import NDArray

THRESHOLDS_PER_UNIT = 100


def error_counts(
    positive: NDArray[np.float64], negative: NDArray[np.float64]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Errors of the thresholds on a grid over the range of both pools, with 100 thresholds per unit of confidence.

    Args:
        positive: [N] confidences of the pool with the larger median.
        negative: [N] confidences of the other pool.

    Returns:
        False positives and false negatives, [R] counts in [0, N] for the R thresholds.
    """
    thresholds = _thresholds(positive, negative)
    false_negatives = np.searchsorted(np.sort(positive), thresholds, side="left")
    true_negatives = np.searchsorted(np.sort(negative), thresholds, side="left")
    return len(negative) - true_negatives, false_negatives


def interval(positive: NDArray[np.float64], negative: NDArray[np.float64], index: int) -> tuple[float, float, bool]:
    """The confidences that rule ``index`` of ``error_counts`` takes for ``positive``: from a threshold up."""
    return float(_thresholds(positive, negative)[index]), np.inf, True


def _thresholds(positive: NDArray[np.float64], negative: NDArray[np.float64]) -> NDArray[np.float64]:
    """The grid over the range of both pools."""
    both = np.concatenate([positive, negative])
    low, high = both.min(), both.max()
    return _float32_grid(low, high, int(np.ceil((high - low) * THRESHOLDS_PER_UNIT)))


def _float32_grid(low: float, high: float, size: int) -> NDArray[np.float64]:
    """``size`` evenly spaced float32 numbers, rounded as ``torch.linspace`` rounds them on a CPU.

    The evaluator builds this grid in float32 and compares it with float64 confidences, so the last bit can decide on
    which side of a threshold a confidence falls. The step is a float32. The grid is filled from both ends by fused
    multiply-adds, which are reproduced here by float64 arithmetic rounded once.
    """
    first, last = np.float32(low), np.float32(high)
    if size < 2:
        return np.full(size, first, dtype=np.float64)
    step = np.float64((last - first) / np.float32(size - 1))
    index = np.arange(size)
    grid = np.where(index < size // 2, first + step * index, last - step * (size - 1 - index))
    return grid.astype(np.float32).astype(np.float64)
