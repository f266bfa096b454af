"""The evaluation of the challenge's starting kit: a simple membership attack on single models, for comparison only.

It tries to distinguish forget examples from test examples by their losses. Unlike the score, it does not see
retrained models, so a method can do well here by being wrong on the forget set in a way that no retrained model is.
"""

import numpy as np
from numpy.typing import NDArray

from scoring.judging.outputs import Outputs

SPLITS = 10
FEWEST_EXAMPLES = 6
"""With fewer of either kind, the test part of a split could lack one kind."""

ATTACKED_MODELS = 16
"""Only the first models of a pool are attacked. Their mean is close to that of all models, which would take minutes."""


def attack_accuracy(outputs: Outputs) -> float | None:
    """The attack's accuracy in [0, 1], averaged over models and splits; 0.5 is guessing.

    None if the forget set or the test set has fewer than ``FEWEST_EXAMPLES`` examples.

    Source: the starting kit of the NeurIPS 2023 Machine Unlearning Challenge. A logistic regression on the loss of an
    example, ten shuffled splits, equal numbers of forget and test examples.
    """
    if min(outputs.forget_confidence.shape[1], outputs.test_confidence.shape[1]) < FEWEST_EXAMPLES:
        return None
    pairs = zip(outputs.forget_confidence[:ATTACKED_MODELS], outputs.test_confidence[:ATTACKED_MODELS], strict=True)
    rng = np.random.default_rng(0)
    return float(np.mean([_accuracy(losses(forget), losses(test), rng) for forget, test in pairs]))


def losses(confidence: NDArray[np.float64]) -> NDArray[np.float64]:
    """The cross-entropies, in nats, of logit-scaled confidences: ``log(1 + exp(-confidence))``, same shape."""
    return np.logaddexp(0, -confidence)


def _accuracy(forget: NDArray[np.float64], test: NDArray[np.float64], rng: np.random.Generator) -> float:
    """The cross-validated accuracy of separating forget losses from an equal number of test losses."""
    # It takes a second to import, and only comparisons need it.
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedShuffleSplit, cross_val_score

    size = min(len(forget), len(test))
    samples = np.concatenate([rng.permutation(some)[:size] for some in (test, forget)]).reshape(-1, 1)
    members = np.repeat([0, 1], size)
    splits = StratifiedShuffleSplit(SPLITS, random_state=0)
    return float(cross_val_score(LogisticRegression(), samples, members, cv=splits).mean())
