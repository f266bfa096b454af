"""The decision rule behind each example's epsilon."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from scoring.judging.epsilon import DISCARDED, epsilon_table, oriented
from scoring.judging.score import DELTA, RULES


@dataclass(frozen=True)
class Rule:
    """A rule that guesses the pool of a model from its confidence on one example.

    Attributes:
        low, high: bounds in nats, both included; ``high`` may be infinite.
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
    models = len(unlearned)
    table = epsilon_table(models, DELTA)
    return [_strongest(*example, models, table) for example in zip(unlearned.T.copy(), retrained.T.copy(), strict=True)]


def _strongest(
    unlearned: NDArray[np.float64], retrained: NDArray[np.float64], models: int, table: NDArray[np.float32]
) -> Rule | None:
    if not (pools := oriented(unlearned, retrained)):
        return None
    names: list[Literal["unlearned", "retrained"]] = ["unlearned", "retrained"]
    if pools[0] is retrained:
        names.reverse()
    best, strongest = None, DISCARDED
    for family in RULES["official"]:
        false_positives, false_negatives = family.error_counts(*pools)
        epsilon = table.take(false_positives * (models + 1) + false_negatives)
        index = int(epsilon.argmax())
        if epsilon[index] > strongest:
            strongest = float(epsilon[index])
            low, high, first = family.interval(*pools, index)
            right = 1 - (int(false_positives[index]) + int(false_negatives[index])) / (2 * models)
            best = Rule(low, high, names[0] if first else names[1], right)
    return best
