"""How far chance moves a score: intervals around a score, and around the difference of two.

They cover what other pools of the same size would give on average: other seeds of the unlearned and of the retrained
models, with the same original model, the same forget set and the same method. They say nothing about another original
model, other people to forget or another number of models; several seeds show the first of these.

The pools are cut into halves at random. The scores of two halves that share no model differ by chance alone, and their
squared differences give the variance of a score with half as many models. Most methods score lower on whole pools than
on halves, and the variance is assumed to shrink in the same proportion: a low score comes from a few lucky examples,
and a Poisson count has a variance proportional to its mean. For the same reason the interval is symmetric in the square
root of the score.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scoring.judging.outputs import Outputs
from scoring.judging.quick import quick_epsilons
from scoring.judging.score import DELTA, accuracy_ratios, credits, score

SPLITS = 12
"""Times that the pools are cut into halves."""

COMMON = 0.75
"""The share of the halves' covariance between examples that remains in whole pools.

The noise of single examples does not shrink with more models, because the strongest of many rules depends on a few
extreme models. Noise that examples have in common averages out, though less than in a mean, where 0.5 would remain.
"""

DEGREES_OF_FREEDOM = 2 * SPLITS
"""Of Student's distribution. The splits alone would give half as many, but only the covariance rests on so few numbers;
the rest of the variance is estimated far better."""

FEWEST_MODELS = 32
"""Smaller pools have halves whose scores say little about those of the whole."""


@dataclass(frozen=True)
class Interval:
    """The bounds of a confidence interval."""

    low: float
    high: float


@dataclass(frozen=True, eq=False)
class Spread:
    """A score and how far chance moves it.

    Attributes:
        value: the score.
        deviations: [SPLITS, F] what chance adds to each example's part of the score, drawn once per split. With
            the same seed and the same retrained models, row i is the same split for every submission, so errors are
            paired.
    """

    value: float
    deviations: NDArray[np.float64]

    @property
    def deviation(self) -> float:
        """The score's standard deviation, from the variance of independent examples and their covariance."""
        apart = np.mean(self.deviations**2) / self.deviations.shape[1]
        together = np.mean(self.deviations.mean(axis=1) ** 2)
        return float(np.sqrt(apart + COMMON * max(together - apart, 0.0)))

    def interval(self, confidence: float = 0.95) -> Interval:
        """The interval around the score; no bound is below 0."""
        reach = _quantile(confidence) * self.deviation
        if not self.value > 0:
            return Interval(0.0, reach)
        root = self.value**0.5
        reach /= 2 * root
        return Interval(max(root - reach, 0.0) ** 2, (root + reach) ** 2)


def spread_of(
    unlearned: Outputs,
    retrained: Outputs,
    accuracy: Outputs | None = None,
    *,
    value: float | None = None,
    seed: int = 0,
) -> Spread:
    """How far chance moves the score of one pool against another.

    Args:
        unlearned: the pool to judge, N models.
        retrained: the pool that forgetting is compared with, N models.
        accuracy: the pool that accuracies are compared with, N models; None if that is ``retrained``.
        value: the score; None to compute it.
        seed: of the random halves. Only spreads with the same seed can be subtracted.

    Raises:
        ValueError: the pools are too small, or as for ``score``.
    """
    if value is None:
        value = score(unlearned, retrained, accuracy).value
    return spread_from(value, parts_of_halves(unlearned, retrained, accuracy, seed=seed))


def spread_from(value: float, halves: NDArray[np.float64]) -> Spread:
    """The spread of a score, from what ``parts_of_halves`` returned."""
    # A score of 0 may be bad luck, if halves score more.
    growth = value / halves.mean() if value > 0 and halves.any() else 1.0
    return Spread(value, (halves[:, 0] - halves[:, 1]) * np.sqrt(growth / 2))


def parts_of_halves(
    unlearned: Outputs, retrained: Outputs, accuracy: Outputs | None = None, *, seed: int = 0
) -> NDArray[np.float64]:
    """[SPLITS, 2, F] what each example adds to the score of each half, before the mean over examples.

    Raises:
        ValueError: the pools are too small, differ in size or do not belong together, or no retrained model of a half
            gets anything right.
    """
    models = len(unlearned)
    if models < FEWEST_MODELS:
        raise ValueError(f"expected at least {FEWEST_MODELS} models per pool for an interval, found {models}")
    against = retrained, accuracy or retrained
    if unlearned.identity != retrained.identity or any(len(pool) != models for pool in against):
        raise ValueError(
            f"expected pools of {models} models with one task, seed and reference; found {len(against[0])} and "
            f"{len(against[1])} retrained models of {retrained.identity} for unlearned ones of {unlearned.identity}"
        )
    found = []
    for split in range(SPLITS):
        rng = np.random.default_rng([seed, models, split])
        # Model i of one pool has nothing to do with model i of the other, so each pool has an order of its own.
        ours, theirs = rng.permutation(models), rng.permutation(models)
        for half in (slice(models // 2), slice(models // 2, 2 * (models // 2))):
            found.append(quick_parts(unlearned.take(ours[half]), *(pool.take(theirs[half]) for pool in against)))
    return np.array(found).reshape(SPLITS, 2, -1)


def score_interval(unlearned: Outputs, retrained: Outputs, *, confidence: float = 0.95, seed: int = 0) -> Interval:
    """The interval around a score.

    Raises:
        ValueError: the pools are too small, the confidence is not between 0 and 1, or as for ``score``.
    """
    return spread_of(unlearned, retrained, seed=seed).interval(confidence)


def difference_interval(
    first: Outputs, second: Outputs, retrained: Outputs, *, confidence: float = 0.95, seed: int = 0
) -> Interval:
    """The interval around the first pool's score minus the second's, both against the same retrained models.

    Raises:
        ValueError: the pools are too small, the confidence is not between 0 and 1, or as for ``score``.
    """
    return difference(*(spread_of(one, retrained, seed=seed) for one in (first, second)), confidence=confidence)


def difference(first: Spread, second: Spread, *, confidence: float = 0.95) -> Interval:
    """The interval around the first score minus the second, from spreads with the same seed."""
    both = Spread(first.value - second.value, first.deviations - second.deviations)
    reach = _quantile(confidence) * both.deviation
    return Interval(both.value - reach, both.value + reach)


def mean_of(spreads: Sequence[Spread]) -> Spread:
    """The mean of independent scores, such as those on several original models, and how far chance moves it."""
    return Spread(
        float(np.mean([one.value for one in spreads])), np.concatenate([one.deviations for one in spreads], axis=1)
    )


def quick_parts(unlearned: Outputs, retrained: Outputs, accuracy: Outputs) -> NDArray[np.float64]:
    """[F] what each example adds to the score, up to the evaluator's rounding, before the mean over examples."""
    epsilon = quick_epsilons(unlearned.forget_confidence, retrained.forget_confidence, DELTA)
    retain, test = accuracy_ratios(unlearned, accuracy)
    return credits(epsilon, len(unlearned)) * retain * test


def quick_score(unlearned: Outputs, retrained: Outputs, accuracy: Outputs) -> float:
    """The score, up to the evaluator's rounding, in a fraction of the time."""
    return float(quick_parts(unlearned, retrained, accuracy).mean())


def _quantile(confidence: float) -> float:
    """How many standard deviations an interval reaches to either side."""
    if not 0 < confidence < 1:
        raise ValueError(f"confidence: expected a number between 0 and 1, found {confidence}")
    # Importing it takes a tenth of a second, which no help text should cost.
    from scipy.special import stdtrit

    return float(stdtrit(DEGREES_OF_FREEDOM, (1 + confidence) / 2))
