"""The ceiling: what retrained models score against other retrained models.

No method can be expected to do better. The ceiling is not 1, because the strongest of many rules always finds some
difference between two finite pools. It is the mean over random splits of one pool into halves: from 16 models per half
on, forgetting quality hardly depends on their number, and the mean over splits varies far less from pool to pool than
the score of a single pair does.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scoring.judging.outputs import Outputs
from scoring.judging.score import Score, score

SPLITS = 30
FEWEST_PER_HALF = 16
"""Smaller halves overstate the ceiling."""

DEVIATIONS = 1.96
"""95% of a normal distribution lies within this many standard deviations of the mean."""


@dataclass(frozen=True, eq=False)
class Ceiling:
    """What retrained models score against each other.

    Attributes:
        scores: one per split.
    """

    scores: tuple[Score, ...]

    @property
    def value(self) -> float:
        """The mean score."""
        return float(np.mean([score.value for score in self.scores]))

    @property
    def band(self) -> tuple[float, float]:
        """Where 95% of scores between two retrained pools lie, and of the scores of exact methods."""
        return band_of([score.value for score in self.scores])

    @property
    def forgetting_quality(self) -> float:
        """The mean forgetting quality, in [0, 1]."""
        return float(np.mean([score.forgetting_quality for score in self.scores]))

    @property
    def epsilon(self) -> NDArray[np.float64]:
        """[splits, F] official epsilons."""
        return np.array([score.epsilon for score in self.scores])

    @property
    def strongest_epsilon(self) -> NDArray[np.float64]:
        """[splits, F] epsilons under every threshold and interval."""
        return np.array([score.strongest_epsilon for score in self.scores])


def band_of(scores: Sequence[float]) -> tuple[float, float]:
    """The band that holds 95% of single scores, from those of several splits: their mean and 1.96 deviations."""
    mean, deviation = float(np.mean(scores)), float(np.std(scores, ddof=1))
    return max(0.0, mean - DEVIATIONS * deviation), mean + DEVIATIONS * deviation


def models_needed(models: int) -> int:
    """The number of retrained models that the ceiling for pools of ``models`` needs.

    The pool itself, if its halves are large enough; else twice as many, so that each half is as large as the pool.
    """
    return models if models >= 2 * FEWEST_PER_HALF else 2 * models


def halves(retrained: Outputs, split: int) -> tuple[Outputs, Outputs]:
    """Two random halves of N >= 4 models, which depend on the number of the split alone. An odd one is left out."""
    order = np.random.default_rng([len(retrained), split]).permutation(len(retrained))
    half = len(retrained) // 2
    return retrained.take(order[:half]), retrained.take(order[half : 2 * half])


def score_of_split(retrained: Outputs, split: int, accuracy: Outputs | None = None) -> Score:
    """The score of a random half of the models against the other half.

    Args:
        retrained: N >= 4 models.
        split: the number of the split, >= 0.
        accuracy: the pool that accuracies are compared with; None for the other half.
    """
    return score(*halves(retrained, split), accuracy)
