"""The score that fewer models would have given: how much a quick look misleads.

The score depends on the number of models: more of them reveal smaller differences, and the largest epsilon that can be
shown grows. So a quick look with few models tends to score too high, and it varies.
"""

from dataclasses import dataclass

import numpy as np

from scoring.judging.interval import quick_score
from scoring.judging.outputs import Outputs

SIZES = (16, 32, 64, 128, 256, 512, 1024)
DRAWS = 20
"""Times that models are drawn, per size."""

BAND = 0.9
"""The share of quick looks that the band should contain."""


@dataclass(frozen=True)
class QuickLook:
    """What a score with fewer models would have been.

    Attributes:
        models: per pool.
        score: the mean over draws.
        low, high: between them lie about 90% of quick looks at other models of the same pools.
    """

    models: int
    score: float
    low: float
    high: float


def score_by_models(unlearned: Outputs, retrained: Outputs, accuracy: Outputs | None = None) -> tuple[QuickLook, ...]:
    """Scores of random subsets of both pools, for each of ``SIZES`` up to half of the models.

    More than half would be nearly the same models each time, and understate how much a quick look varies.

    Args:
        unlearned: the pool to judge, N models.
        retrained: the pool that forgetting is compared with, N models.
        accuracy: the pool that accuracies are compared with, N models; None if that is ``retrained``.

    Returns:
        One per size, the smallest first; none if N is below twice the smallest size.
    """
    found = []
    for size in SIZES:
        if 2 * size > len(unlearned):
            break
        scores = []
        for draw in range(DRAWS):
            rng = np.random.default_rng([size, draw])
            ours, theirs = (rng.permutation(len(unlearned))[:size] for _ in range(2))
            against = (pool.take(theirs) for pool in (retrained, accuracy or retrained))
            scores.append(quick_score(unlearned.take(ours), *against))
        mean = float(np.mean(scores))
        # Subsets of one pool share models, and differ less than two pools that are drawn anew.
        apart = (1 - size / len(unlearned)) ** -0.5
        low, high = mean + apart * (np.quantile(scores, [(1 - BAND) / 2, (1 + BAND) / 2]) - mean)
        found.append(QuickLook(size, mean, max(0.0, float(low)), float(high)))
    return tuple(found)
