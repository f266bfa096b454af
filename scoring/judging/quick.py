"""Official epsilons up to the evaluator's rounding, many times faster: error bars need thousands of them.

In exact arithmetic all thresholds of an example lie on a grid, and so do all ends of its intervals. Only the number of
confidences below them matters, and few of the 160,000 intervals differ in that; only those are evaluated. Rounding
moves the evaluator's thresholds in the last bits, or adds one more, so a few epsilons differ. Where both pools together
span less than one step of the grid, hardly any threshold remains, and most epsilons differ. So the official score is
computed elsewhere.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scoring.judging.epsilon import COLLAPSED_RANGE_RATIO, DISCARDED, EPSILON_CAP, epsilon_table
from scoring.judging.rules.double_threshold import BUFFER, THRESHOLDS_PER_UNIT

ENDS = round(2 * BUFFER * THRESHOLDS_PER_UNIT)
"""The number of right ends of intervals, and of left ends for each of them."""

STEP = 2 * BUFFER / (ENDS - 1)
ROUNDING = 1e-9
"""The share of a step within which a confidence counts as lying on the grid."""


def quick_epsilons(unlearned: ArrayLike, retrained: ArrayLike, delta: float) -> NDArray[np.float64]:
    """[F] epsilons in nats, from 0 to 50, of pools of N models each; see ``scoring.judging.score.epsilons``.

    Args:
        unlearned: [N, F] finite confidences, N >= 2.
        retrained: [N, F] finite confidences.
        delta: in [0, 1).
    """
    pools = np.asarray(unlearned, np.float64).T, np.asarray(retrained, np.float64).T
    models = pools[0].shape[1]
    both = np.concatenate(pools, axis=1)
    order = both.argsort(axis=1)
    both = np.take_along_axis(both, order, axis=1)
    # How many of each pool are among the c smallest confidences of both, for every c.
    ours = np.zeros((len(both), 2 * models + 1), np.int32)
    np.cumsum(order < models, axis=1, out=ours[:, 1:])
    theirs = np.arange(2 * models + 1, dtype=np.int32) - ours

    table = epsilon_table(models, delta)
    ranges = np.stack([np.ptp(pool, axis=1) for pool in pools])
    with np.errstate(divide="ignore", invalid="ignore"):
        valid = ranges.min(axis=0) / ranges.max(axis=0) >= COLLAPSED_RANGE_RATIO
    larger = np.median(pools[1], axis=1) > np.median(pools[0], axis=1)
    strongest = _of_thresholds(both, *_in_order(larger, theirs, ours), table)
    narrower = ranges[1] < ranges[0]
    narrow = np.where(narrower[:, None], pools[1], pools[0])
    intervals = _of_intervals(both, narrow, *_in_order(narrower, theirs, ours), table)
    strongest = np.maximum(strongest, intervals)
    return np.where(valid & (strongest > DISCARDED), np.minimum(strongest, EPSILON_CAP), EPSILON_CAP)


def _in_order(swapped: NDArray[np.bool_], first: NDArray, second: NDArray) -> tuple[NDArray, NDArray]:
    """The counts of the positive and of the negative pool: ``first`` is the positive one where ``swapped``."""
    return np.where(swapped[:, None], first, second), np.where(swapped[:, None], second, first)


def _of_thresholds(both: NDArray, positives: NDArray, negatives: NDArray, table: NDArray) -> NDArray[np.float32]:
    """[F] largest epsilons of the rules "positive from a threshold on"."""
    models = both.shape[1] // 2
    low, width = both[:, :1], np.ptp(both, axis=1)[:, None]
    size = np.ceil(width * THRESHOLDS_PER_UNIT)
    step = width / np.maximum(size - 1, 1)
    reached = np.minimum(np.floor((both - low) / np.where(step > 0, step, 1) + ROUNDING) + 1, size)
    # The first threshold is the smallest confidence; others lie between two confidences or on the upper one.
    exists = np.diff(reached, axis=1, prepend=0) > 0
    codes = (models - negatives[:, :-1]) * (models + 1) + positives[:, :-1]
    return np.where(exists, table.take(codes), DISCARDED).max(axis=1)


def _of_intervals(
    both: NDArray, narrow: NDArray, positives: NDArray, negatives: NDArray, table: NDArray
) -> NDArray[np.float32]:
    """[F] largest epsilons of the rules "positive in an interval".

    Right end i goes with the left ends i to i + ENDS - 1 of one common grid.
    """
    models = narrow.shape[1]
    codes = negatives * (models + 1) - positives
    right = _Ends(np.ceil((both - narrow.max(axis=1)[:, None] + BUFFER) / STEP - ROUNDING), ENDS, codes)
    passed = np.floor((both - narrow.min(axis=1)[:, None] + 2 * BUFFER) / STEP + ROUNDING) + 1
    left = _Ends(passed, 2 * ENDS - 1, codes)
    strongest = np.full(len(both), DISCARDED, np.float32)
    for example in range(len(both)):
        rows, columns = right.of(example), left.of(example)
        exists = left.last[columns] >= right.first[rows, None]
        exists &= left.first[columns] < right.last[rows, None] + ENDS
        exists &= left.below[columns] <= right.below[rows, None]
        found = (right.codes[rows, None] - left.codes[columns])[exists] + models
        strongest[example] = table.take(found).max(initial=DISCARDED)
    return strongest


class _Ends:
    """The ends of intervals, in groups: the ends of one example with the same number of confidences below them.

    Attributes:
        below: that number, by group.
        first, last: the first and the last end of each group.
        codes: by group; a right end's code minus a left end's, plus N, is the interval's index in ``epsilon_table``.
    """

    def __init__(self, entered: NDArray, ends: int, codes: NDArray) -> None:
        bounds = np.empty((len(entered), entered.shape[1] + 2), np.int32)
        bounds[:, 0], bounds[:, -1] = 0, ends
        bounds[:, 1:-1] = np.clip(entered, 0, ends)
        rows, self.below = np.nonzero(bounds[:, :-1] < bounds[:, 1:])
        self.first, self.last = bounds[rows, self.below], bounds[rows, self.below + 1] - 1
        self.codes = codes[rows, self.below]
        self._starts = np.searchsorted(rows, np.arange(len(entered) + 1))

    def of(self, example: int) -> slice:
        """Where an example's ends are."""
        return slice(self._starts[example], self._starts[example + 1])
