"""Do intervals of real pools cover what they promise to? Measured on blocks of a pool that have no model in common."""

import numpy as np

from scoring.judging.interval import Interval, parts_of_halves, quick_parts, spread_from
from scoring.judging.outputs import Outputs

BLOCK = 64
"""Models per block."""


def blocks_covered(unlearned: Outputs, retrained: Outputs) -> tuple[int, int]:
    """Of how many blocks the interval covers the mean score of the others, and how many blocks there are.

    The mean of the others varies too: with B blocks an interval must be wider by the square root of B / (B - 1). None
    are counted if the pools are too small for two blocks, or if all blocks score 0.
    """
    cuts = [slice(begin, begin + BLOCK) for begin in range(0, len(unlearned) - BLOCK + 1, BLOCK)]
    pairs = [(unlearned.take(cut), retrained.take(cut)) for cut in cuts]
    values = np.array([quick_parts(*pair, pair[1]).mean() for pair in pairs])
    if len(values) < 2 or not values.any():
        return 0, 0
    covered = 0
    for pair, value in zip(pairs, values, strict=True):
        others = (values.sum() - value) / (len(values) - 1)
        wider = np.sqrt(len(values) / (len(values) - 1))
        bounds = widened(value, spread_from(value, parts_of_halves(*pair)).interval(), wider)
        covered += int(bounds.low <= others <= bounds.high)
    return covered, len(values)


def widened(value: float, interval: Interval, factor: float) -> Interval:
    """An interval with so many times the reach, in the square root of the score; no bound is below 0."""
    root = value**0.5
    low, high = (root + factor * (bound**0.5 - root) for bound in (interval.low, interval.high))
    return Interval(max(low, 0.0) ** 2, high**2)
