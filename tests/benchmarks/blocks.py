"""Do intervals of real pools cover what they promise to? Measured on blocks of a pool that have no model in common."""

import numpy as np

from scoring.judging.interval import parts_of_halves, quick_parts, spread_from
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
        interval = spread_from(value, parts_of_halves(*pair)).interval()
        wider = np.sqrt(len(values) / (len(values) - 1))
        low, high = np.sqrt(value) + wider * (np.sqrt([interval.low, interval.high]) - np.sqrt(value))
        # An interval that reaches 0 would be reflected there, and end above it.
        covered += int(max(low, 0.0) ** 2 <= others <= high**2)
    return covered, len(values)
