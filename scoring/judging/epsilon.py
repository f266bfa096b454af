"""From the errors of decision rules to epsilon, one example at a time."""

from types import ModuleType

import numpy as np
from numpy.typing import NDArray

EPSILON_CAP = 50.0
DISCARDED = -1.0
"""Stands for the epsilon of a rule that is discarded: it ranks below all others."""

COLLAPSED_RANGE_RATIO = 0.01
"""If one pool's range is narrower than this share of the other's, epsilon is at the cap and no rule is tried."""


def epsilon_of_rates(fpr: NDArray[np.floating], fnr: NDArray[np.floating], delta: float) -> NDArray[np.float32]:
    """The epsilon that follows from one rule's error rates, by the bound of Kairouz, Oh and Viswanath (2015).

    ``max(ln(1 - delta - fpr) - ln fnr, ln(1 - delta - fnr) - ln fpr, 0)``, where undefined terms are ignored.
    Computed in float32, as in the challenge's evaluator.

    Args:
        fpr: false positive rates in [0, 1], any shape.
        fnr: false negative rates in [0, 1], the same shape.
        delta: the delta of (epsilon, delta)-unlearning, in [0, 1).

    Returns:
        Epsilons in nats, of the same shape: infinite where neither error occurs, NaN where exactly one of them does.
        The evaluator discards such a rule, because the models are too few to estimate how rare the other error is.
    """
    fpr, fnr = fpr.astype(np.float32), fnr.astype(np.float32)
    one = np.float32(1 - delta)
    with np.errstate(divide="ignore", invalid="ignore"):
        epsilon = np.fmax(np.log(one - fpr) - np.log(fnr), np.log(one - fnr) - np.log(fpr))
    epsilon = np.maximum(epsilon, np.float32(0))
    epsilon = np.where((fpr == 0) != (fnr == 0), np.float32(np.nan), epsilon)
    return np.where((fpr == 0) & (fnr == 0), np.float32(np.inf), epsilon)


def epsilon_table(models: int, delta: float) -> NDArray[np.float32]:
    """[(N + 1)^2] the epsilon of each possible rule, indexed by (N + 1) * false positives + false negatives.

    Args:
        models: N, the size of either pool.
        delta: in [0, 1).

    Returns:
        Epsilons in nats, as of ``epsilon_of_rates``, except that a discarded rule has ``DISCARDED``.
    """
    rates = np.arange(models + 1).astype(np.float32) / np.float32(models)
    epsilon = epsilon_of_rates(rates[:, None], rates[None, :], delta)
    return np.nan_to_num(epsilon, nan=DISCARDED, posinf=np.inf).ravel()


def strongest_epsilons(
    unlearned: NDArray[np.float64],
    retrained: NDArray[np.float64],
    families: tuple[ModuleType, ...],
    delta: float,
) -> tuple[NDArray[np.float64], int]:
    """Each example's largest epsilon over all rules of the families, and the number of examples without a valid rule.

    Args:
        unlearned: [N, F] finite confidences, N >= 2.
        retrained: [N, F] finite confidences.
        families: modules of ``scoring.judging.rules``.
        delta: in [0, 1).

    Returns:
        [F] float64 epsilons in [0, 50], and the number of examples for which every rule was discarded. These count as
        50, because there is no evidence in their favour. If one pool's range is less than a hundredth of the other's,
        epsilon is 50 as well, and no rule is tried.
    """
    models, examples = unlearned.shape
    table = epsilon_table(models, delta)
    epsilons = np.full(examples, EPSILON_CAP)
    undecided = 0
    for example, (ours, theirs) in enumerate(zip(unlearned.T.copy(), retrained.T.copy(), strict=True)):
        if not (pools := oriented(ours, theirs)):
            continue
        strongest = DISCARDED
        for family in families:
            false_positives, false_negatives = family.error_counts(*pools)
            strongest = max(strongest, float(table.take(false_positives * (models + 1) + false_negatives).max()))
        if strongest == DISCARDED:
            undecided += 1
        else:
            epsilons[example] = min(strongest, EPSILON_CAP)
    return epsilons, undecided


def oriented(
    ours: NDArray[np.float64], theirs: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """The confidences of both pools on an example, those with the larger median first.

    Args:
        ours, theirs: [N] finite confidences, N >= 2.

    Returns:
        The same two arrays; None if one pool's range is less than a hundredth of the other's, so no rule is tried.
    """
    narrow, wide = sorted([np.ptp(ours), np.ptp(theirs)])
    if wide == 0 or narrow / wide < COLLAPSED_RANGE_RATIO:
        return None
    return (theirs, ours) if np.median(theirs) > np.median(ours) else (ours, theirs)
