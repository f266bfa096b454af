"""The score of the NeurIPS 2023 Machine Unlearning Challenge, from the answers of two pools."""

from dataclasses import dataclass
from types import ModuleType

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scoring.judging.epsilon import strongest_epsilons
from scoring.judging.outputs import Outputs
from scoring.judging.rules import double_threshold, every_interval, single_threshold

RULES_VERSION = 1
"""Increased whenever a number below, a rule family or its arithmetic changes."""

DELTA = 1e-5
BIN_WIDTH = 0.5
OFFICIAL_MODELS = 512
RULES: dict[str, tuple[ModuleType, ...]] = {
    "official": (single_threshold, double_threshold),
    "strongest": (every_interval,),
}
"""Rule families by name: the challenge's own, and a stronger attack that is a diagnostic and never replaces them."""


class NothingLearned(ValueError):  # noqa: N818
    """The retrained models' accuracy is zero, so ratios of accuracies are undefined."""


@dataclass(frozen=True)
class Score:
    """A score and its parts.

    Attributes:
        forgetting_quality: in [0, 1].
        retain_ratio: mean retain accuracy of the unlearned over that of the retrained models.
        test_ratio: the same on the test set.
        epsilon: [F] official epsilons in [0, 50], nats.
        strongest_epsilon: [F] the same under every threshold and interval.
        undecided: number of examples without a valid official rule; they count as 50.
    """

    forgetting_quality: float
    retain_ratio: float
    test_ratio: float
    epsilon: NDArray[np.float64]
    strongest_epsilon: NDArray[np.float64]
    undecided: int

    @property
    def value(self) -> float:
        """Forgetting quality times both accuracy ratios. Like the challenge's score, it is not clipped."""
        return self.forgetting_quality * self.retain_ratio * self.test_ratio


def epsilons(
    unlearned: ArrayLike, retrained: ArrayLike, *, delta: float = DELTA, rules: str = "official"
) -> NDArray[np.float64]:
    """How far each forget example gives away whether a model was unlearned or retrained.

    Args:
        unlearned: [N, F] logit-scaled confidences of N >= 2 unlearned models in F forget examples.
        retrained: [N, F] those of N retrained models.
        delta: the delta of (epsilon, delta)-unlearning, in [0, 1).
        rules: "official" for the challenge's grids of thresholds, "strongest" for all thresholds and intervals.

    Returns:
        [F] epsilons in nats, from 0 (no rule does better than guessing) to 50 (a rule makes no error, a pool
        collapsed, or no rule could be judged).

    Raises:
        ValueError: shapes that differ or do not fit, NaN or infinite confidences, delta out of range, or an unknown
            name of rules.
    """
    return _strongest(unlearned, retrained, delta, rules)[0]


def _strongest(unlearned: ArrayLike, retrained: ArrayLike, delta: float, rules: str) -> tuple[NDArray[np.float64], int]:
    """``epsilons`` and the number of examples without a valid rule."""
    if rules not in RULES:
        raise ValueError(f"rules: expected one of {', '.join(RULES)}, found {rules!r}")
    if not 0 <= delta < 1:
        raise ValueError(f"delta: expected a number in [0, 1), found {delta}")
    pools = {"unlearned": np.asarray(unlearned, np.float64), "retrained": np.asarray(retrained, np.float64)}
    for name, pool in pools.items():
        if pool.ndim != 2 or len(pool) < 2:
            raise ValueError(f"{name}: expected [models >= 2, forget examples], found shape {pool.shape}")
        if not np.isfinite(pool).all():
            raise ValueError(f"{name}: {np.sum(~np.isfinite(pool))} confidences are NaN or infinite")
    if pools["unlearned"].shape != pools["retrained"].shape:
        raise ValueError(
            "unlearned and retrained: expected pools of one size over the same examples, "
            f"found {pools['unlearned'].shape} and {pools['retrained'].shape}"
        )
    return strongest_epsilons(**pools, families=RULES[rules], delta=delta)


def forgetting_quality(epsilons: ArrayLike, models: int) -> float:
    """The mean credit of the examples: 1 for an epsilon below 0.5, and half as much for each further 0.5.

    An epsilon beyond ``ceil(ln(models - 1))``, about the largest that so many models can show, gets no credit.

    Args:
        epsilons: [F] epsilons >= 0, F >= 1.
        models: N >= 2, the size of either pool.

    Returns:
        A number in [0, 1].

    Raises:
        ValueError: no example, a negative or NaN epsilon, or fewer than two models.
    """
    epsilons = np.asarray(epsilons, np.float64)
    if epsilons.ndim != 1 or not epsilons.size or not (epsilons >= 0).all():
        raise ValueError("epsilons: expected at least one number, none of them negative or NaN, in one axis")
    if models < 2:
        raise ValueError(f"models: expected at least 2, found {models}")
    return float(credits(epsilons, models).mean())


def credits(epsilons: NDArray[np.float64], models: int) -> NDArray[np.float64]:
    """[F] the credit of each example, from its epsilon; see ``forgetting_quality``."""
    bins = int(np.ceil(np.log(models - 1)) / BIN_WIDTH)
    bin_of = np.floor(epsilons / BIN_WIDTH)
    return np.where(bin_of < bins, 2.0**-bin_of, 0.0)


def score(unlearned: Outputs, retrained: Outputs, accuracy: Outputs | None = None) -> Score:
    """Judge a pool of unlearned models against a pool of retrained ones of the same size.

    Args:
        unlearned: the pool to judge.
        retrained: the pool that forgetting is compared with: models of the same learner.
        accuracy: the pool that accuracies are compared with: the task's own retrained models. None if these are
            ``retrained``. A learner that answers at random would otherwise match itself.

    Raises:
        ValueError: the pools do not belong together, differ in size, or no retrained model gets anything right.
    """
    if unlearned.identity != retrained.identity:
        raise ValueError(
            "unlearned and retrained do not belong together: expected one task, seed and reference, "
            f"found {unlearned.identity} and {retrained.identity}"
        )
    accuracy = accuracy or retrained
    pools = unlearned.forget_confidence, retrained.forget_confidence
    epsilon, undecided = _strongest(*pools, DELTA, "official")
    retain_ratio, test_ratio = accuracy_ratios(unlearned, accuracy)
    return Score(
        forgetting_quality=forgetting_quality(epsilon, len(pools[0])),
        retain_ratio=retain_ratio,
        test_ratio=test_ratio,
        epsilon=epsilon,
        strongest_epsilon=epsilons(*pools, rules="strongest"),
        undecided=undecided,
    )


def largest_epsilon(models: int) -> float:
    """The largest finite epsilon that two pools of this size can show, ln(N - 1): one error of each kind."""
    return float(np.log(models - 1))


def accuracy_ratios(unlearned: Outputs, retrained: Outputs) -> tuple[float, float]:
    """The mean accuracy of one pool over that of the other, on the retain set and on the test set.

    Raises:
        NothingLearned: no retrained model gets anything right.
    """
    return (
        _ratio("retain", unlearned.retain_accuracy, retrained.retain_accuracy),
        _ratio("test", unlearned.test_accuracy, retrained.test_accuracy),
    )


def _ratio(name: str, unlearned: NDArray[np.float64], retrained: NDArray[np.float64]) -> float:
    """The mean accuracy of one pool over that of the other."""
    if not retrained.mean() > 0:
        raise NothingLearned(f"{name} accuracy: the retrained models' accuracy is zero, so the ratio is undefined")
    return float(unlearned.mean() / retrained.mean())
