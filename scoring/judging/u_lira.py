"""U-LiRA: a likelihood ratio attack that tells unlearned from retrained models, one example at a time.

For comparison only. The score looks for the strongest of many decision rules. This attacker uses a single one: it fits
a Gaussian to each pool's confidences on an example, and guesses the pool under which a new model's confidence is more
likely.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

FALSE_POSITIVE_RATE = 0.01
FEWEST_MODELS = 4
"""Half of a pool are shadow models, and a standard deviation needs two of them."""

SMALLEST_SPREAD = 1e-6
"""In nats. Confidences come from float32 logits, so smaller differences are rounding."""


@dataclass(frozen=True)
class ULira:
    """How well the attack tells the pools apart.

    Attributes:
        accuracy: in [0, 1], over all models and examples, both pools counted equally; 0.5 is guessing.
        true_positive_rate: in [0, 1], the share of unlearned models that the attack recognises if it takes 1% of the
            retrained ones for unlearned, with one threshold for all examples; 0.01 is guessing.
    """

    accuracy: float
    true_positive_rate: float


def u_lira(unlearned: ArrayLike, retrained: ArrayLike) -> ULira:
    """Attack every model of both pools with Gaussians fitted to other models.

    Models 0, 2, 4, ... of each pool are shadow models, to which the Gaussians are fitted, and the others are targets;
    then the halves swap. A tie counts as half a correct guess. A pool whose models all answer alike becomes a Gaussian
    with standard deviation ``SMALLEST_SPREAD``: the attack tells it from every pool that answers differently, and
    guesses if the other pool has collapsed to the same answer.

    Source: Hayes et al., Inexact Unlearning Needs More Careful Evaluations to Avoid a False Sense of Privacy (2024).
    Only its abstract could be read; the Gaussians and the ratio are as in the code of RoyRin/data-unlearning-bench.
    There, each shadow model forgets other examples. Here they all forget the same ones, so the models that never saw
    them are the retrained pool.

    Args:
        unlearned: [N, F] finite logit-scaled confidences in nats, N >= 4, F >= 1.
        retrained: [M, F] the same of M >= 4 retrained models.

    Raises:
        ValueError: shapes that do not fit, too few models or examples, NaN or infinite confidences.
    """
    pools = np.asarray(unlearned, np.float64), np.asarray(retrained, np.float64)
    shapes = [pool.shape for pool in pools]
    if any(pool.ndim != 2 or len(pool) < FEWEST_MODELS for pool in pools) or not shapes[0][1] == shapes[1][1] > 0:
        raise ValueError(f"expected [models >= {FEWEST_MODELS}, F] twice with the same F >= 1, found {shapes}")
    if not all(np.isfinite(pool).all() for pool in pools):
        raise ValueError("expected finite confidences, found NaN or infinite ones")
    found, mistaken = (_log_ratios(pool, *pools) for pool in pools)
    accuracy = (_share_above(found, 0.0) + 1 - _share_above(mistaken, 0.0)) / 2
    return ULira(accuracy=accuracy, true_positive_rate=_true_positive_rate(found, mistaken))


def _log_ratios(targets: NDArray, unlearned: NDArray, retrained: NDArray) -> NDArray[np.float64]:
    """[N * F] log-likelihood ratios, unlearned over retrained, of all models of one of the pools."""
    halves = slice(0, None, 2), slice(1, None, 2)
    return np.concatenate(
        [
            (_log_likelihood(targets[own], unlearned[other]) - _log_likelihood(targets[own], retrained[other])).ravel()
            for own, other in (halves, halves[::-1])
        ]
    )


def _log_likelihood(confidence: NDArray, shadow: NDArray) -> NDArray[np.float64]:
    """The log-densities of confidences under each example's Gaussian, up to the same constant for all Gaussians."""
    spread = np.maximum(shadow.std(axis=0), SMALLEST_SPREAD)
    return -0.5 * ((confidence - shadow.mean(axis=0)) / spread) ** 2 - np.log(spread)


def _share_above(values: NDArray, threshold: float) -> float:
    """The share of values above a threshold; those equal to it count half."""
    return float(np.mean(values > threshold) + np.mean(values == threshold) / 2)


def _true_positive_rate(found: NDArray, mistaken: NDArray) -> float:
    """The true positive rate at ``FALSE_POSITIVE_RATE``.

    Ratios equal to the threshold count in part as unlearned, so that the false positive rate is exact. Otherwise two
    pools that are all ties would give 0, which is less than guessing.
    """
    allowed = FALSE_POSITIVE_RATE * len(mistaken)
    threshold = np.sort(mistaken)[::-1][int(allowed)]
    probability = (allowed - np.sum(mistaken > threshold)) / np.sum(mistaken == threshold)
    return float(np.mean(found > threshold) + probability * np.mean(found == threshold))
