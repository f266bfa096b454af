"""The decision rule behind each example's epsilon."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from scoring.judging.epsilon import COLLAPSED_RANGE_RATIO, epsilon_of_rates
from scoring.judging.score import DELTA, RULES


@dataclass(frozen=True)
class Rule:
    """A rule that guesses the pool of a model from its confidence in one example.

    Attributes:
        low, high: bounds in nats, both included; infinite if there is none.
        inside: the pool that it predicts between them. It predicts the other pool outside.
        right: the share of all models that it classifies correctly, in [0, 1].
    """

    low: float
    high: float
    inside: Literal["unlearned", "retrained"]
    right: float


def strongest_rules(unlearned: NDArray[np.float64], retrained: NDArray[np.float64]) -> list[Rule | None]:
    """The official rule that determines each example's epsilon; of several, the first.

    Args:
        unlearned: [N, F] finite confidences, N >= 2.
        retrained: [N, F] finite confidences.

    Returns:
        One per example; None where no rule was tried, because a pool has collapsed, or none was valid.
    """
    return [_strongest(*example) for example in zip(unlearned.T.copy(), retrained.T.copy(), strict=True)]


def _strongest(unlearned: NDArray[np.float64], retrained: NDArray[np.float64]) -> Rule | None:
    models = len(unlearned)
    narrow, wide = sorted([np.ptp(unlearned), np.ptp(retrained)])
    if wide == 0 or narrow / wide < COLLAPSED_RANGE_RATIO:
        return None
    names: list[Literal["unlearned", "retrained"]] = ["unlearned", "retrained"]
    if np.median(retrained) > np.median(unlearned):
        names.reverse()
    pools = {"unlearned": unlearned, "retrained": retrained}
    positive, negative = (pools[name] for name in names)
    best, strongest = None, -1.0
    for family in RULES["official"]:
        errors = family.error_counts(positive, negative)
        fpr, fnr = (np.asarray(count, np.float32) / np.float32(models) for count in errors)
        epsilon = np.nan_to_num(epsilon_of_rates(fpr, fnr, DELTA), nan=-1, posinf=np.inf)
        index = int(epsilon.argmax())
        if epsilon[index] > strongest:
            strongest = float(epsilon[index])
            low, high, first = family.interval(positive, negative, index)
            right = 1 - (int(errors[0][index]) + int(errors[1][index])) / (2 * models)
            best = Rule(low, high, names[0] if first else names[1], right)
    return best
