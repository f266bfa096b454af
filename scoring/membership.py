"""The starting kit's own evaluation: a simple membership attack on single models, for comparison only.

It asks whether the losses of forget examples can be told from those of test examples. Unlike the score it knows
nothing of retrained models, so a method may do well here by being wrong on the forget set in its own way.
"""

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedShuffleSplit, cross_val_score

from scoring.outputs import Outputs

SPLITS = 10
FEWEST_EXAMPLES = 6
"""With fewer of each kind a split would not have both kinds to test on."""

ATTACKED_MODELS = 16
"""The first models of a pool. Their mean hardly differs from all models' mean, which would take minutes."""


def attack_accuracy(outputs: Outputs) -> float | None:
    """How often the attack is right, in [0, 1], mean over models and splits; 0.5 is guessing.

    None if there are fewer than ``FEWEST_EXAMPLES`` to forget or in the test set.

    Source: the starting kit of the NeurIPS 2023 Machine Unlearning Challenge: a logistic regression on the loss of an
    example, ten shuffled splits, as many forget as test examples.
    """
    if min(outputs.forget_confidence.shape[1], outputs.test_confidence.shape[1]) < FEWEST_EXAMPLES:
        return None
    pairs = zip(outputs.forget_confidence[:ATTACKED_MODELS], outputs.test_confidence[:ATTACKED_MODELS], strict=True)
    rng = np.random.default_rng(0)
    return float(np.mean([_accuracy(losses(forget), losses(test), rng) for forget, test in pairs]))


def losses(confidence: NDArray[np.float64]) -> NDArray[np.float64]:
    """The cross-entropies, in nats, that belong to logit-scaled confidences: log(1 + exp(-confidence))."""
    return np.logaddexp(0, -confidence)


def _accuracy(forget: NDArray[np.float64], test: NDArray[np.float64], rng: np.random.Generator) -> float:
    """The cross-validated accuracy of telling forget losses from as many test losses."""
    size = min(len(forget), len(test))
    samples = np.concatenate([rng.permutation(some)[:size] for some in (test, forget)]).reshape(-1, 1)
    members = np.repeat([0, 1], size)
    splits = StratifiedShuffleSplit(SPLITS, random_state=0)
    return float(cross_val_score(LogisticRegression(), samples, members, cv=splits).mean())
