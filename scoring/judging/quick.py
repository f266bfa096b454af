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

BLOCK = 2**13
"""Confidences per pool that are evaluated at once: few enough for a processor's cache."""


def quick_epsilons(unlearned: ArrayLike, retrained: ArrayLike, delta: float) -> NDArray[np.float64]:
    """[F] epsilons in nats, from 0 to 50, of pools of N models each; see ``scoring.judging.score.epsilons``.

    Args:
        unlearned: [N, F] finite confidences, N >= 2.
        retrained: [N, F] finite confidences.
        delta: in [0, 1).
    """
    ours, theirs = np.asarray(unlearned, np.float64).T, np.asarray(retrained, np.float64).T
    examples, models = ours.shape
    table = epsilon_table(models, delta)
    rows = max(BLOCK // models, 1)
    blocks = [slice(start, start + rows) for start in range(0, examples, rows)]
    return np.concatenate(
        [_of_block(np.sort(ours[block], axis=1), np.sort(theirs[block], axis=1), table) for block in blocks]
    )


def _of_block(unlearned: NDArray, retrained: NDArray, table: NDArray) -> NDArray[np.float64]:
    """The same from a block of examples: [F, N] sorted confidences."""
    models = unlearned.shape[1]
    both = np.concatenate([unlearned, retrained], axis=1)
    # A stable sort is the fastest here: it merges the two sorted halves.
    order = both.argsort(axis=1, kind="stable")
    both = np.take_along_axis(both, order, axis=1)
    # How many of each pool are among the c smallest confidences of both, for every c.
    ours = np.zeros((len(both), 2 * models + 1), np.int32)
    np.cumsum(order < models, axis=1, out=ours[:, 1:])
    theirs = np.arange(2 * models + 1, dtype=np.int32) - ours

    ranges = np.stack([pool[:, -1] - pool[:, 0] for pool in (unlearned, retrained)])
    with np.errstate(divide="ignore", invalid="ignore"):
        valid = ranges.min(axis=0) / ranges.max(axis=0) >= COLLAPSED_RANGE_RATIO
    larger = _medians(retrained) > _medians(unlearned)
    strongest = _of_thresholds(both, *_in_order(larger, theirs, ours), table)
    narrower = ranges[1] < ranges[0]
    narrow = np.where(narrower[:, None], retrained, unlearned)
    intervals = _of_intervals(both, narrow, *_in_order(narrower, theirs, ours), table)
    strongest = np.maximum(strongest, intervals)
    return np.where(valid & (strongest > DISCARDED), np.minimum(strongest, EPSILON_CAP), EPSILON_CAP)


def _medians(confidences: NDArray) -> NDArray[np.float64]:
    """[F] medians of sorted confidences."""
    models = confidences.shape[1]
    return (confidences[:, (models - 1) // 2] + confidences[:, models // 2]) / 2


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
    right = _Ends(np.ceil((both - narrow[:, -1:] + BUFFER) / STEP - ROUNDING), ENDS, codes)
    left = _Ends(np.floor((both - narrow[:, :1] + 2 * BUFFER) / STEP + ROUNDING) + 1, 2 * ENDS - 1, codes)
    # The groups of left ends that go with a group of right ends: none lies wholly before the first left end or after
    # the last one, and none has more confidences below it, because such intervals are empty.
    start = left.last.searchsorted(right.first)
    stop = np.minimum(left.first.searchsorted(right.last + ENDS), left.up_to[right.places])
    lefts = np.maximum(stop - start, 0)
    before = lefts.cumsum() - lefts
    columns = np.arange(lefts.sum()) + (start - before).repeat(lefts)
    found = table.take((right.codes + models).repeat(lefts) - left.codes.take(columns))
    strongest = np.full(len(both), DISCARDED, np.float32)
    if found.size:
        some = np.flatnonzero(lefts)
        np.maximum.at(strongest, right.examples[some], np.maximum.reduceat(found, before[some]))
    return strongest


class _Ends:
    """The ends of intervals, in groups: the ends of one example with the same number of confidences below them.

    Attributes:
        places: by group; (2 * N + 1) * its example + the number of confidences below it.
        up_to: by place; the number of groups up to this place.
        examples: by group.
        first, last: by group; its first and last end. The ends of each example have numbers of their own.
        codes: by group; a right end's code minus a left end's, plus N, is the interval's index in ``epsilon_table``.
    """

    def __init__(self, entered: NDArray, ends: int, codes: NDArray) -> None:
        bounds = np.empty((len(entered), entered.shape[1] + 2), np.int32)
        bounds[:, 0], bounds[:, -1] = 0, ends
        bounds[:, 1:-1] = np.clip(entered, 0, ends)
        exists = bounds[:, :-1] < bounds[:, 1:]
        self.places = np.flatnonzero(exists)
        self.up_to = exists.cumsum()
        self.examples = self.places // exists.shape[1]
        numbers = self.examples * (2 * ENDS)
        self.first = numbers + bounds[:, :-1][exists]
        self.last = numbers + bounds[:, 1:][exists] - 1
        self.codes = codes.ravel()[self.places]
