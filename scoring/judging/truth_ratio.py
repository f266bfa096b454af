"""TOFU's own metrics: truth ratio, forget quality, model utility, probability. For comparison only; the score ranks.

Source: Maini et al., TOFU: A Task of Fictitious Unlearning for LLMs, COLM 2024, and its code where the two differ.
Losses are mean token losses of whole answers, the end token included.
"""

from collections.abc import Mapping
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import hmean, ks_2samp

PASSES = 0.05
"""A p-value above this is what TOFU calls good forgetting."""


def truth_ratio(
    paraphrased: ArrayLike, perturbed: ArrayLike, *, mean: Literal["geometric", "arithmetic"] = "geometric"
) -> NDArray[np.float64]:
    """How much more probable wrong answers are than a paraphrase of the right one, per question.

    Args:
        paraphrased: [..., n] losses of the paraphrased right answers, >= 0.
        perturbed: [..., n, k] losses of k >= 1 wrong answers each.
        mean: over the wrong answers' probabilities: "geometric" as in the code, "arithmetic" as in the paper.

    Returns:
        [..., n] ratios > 0: below 1 if the model knows the answer, about 1 if it does not.

    Raises:
        ValueError: shapes that do not fit, losses that are NaN or negative, or an unknown mean.
    """
    right, wrong = np.asarray(paraphrased, np.float64), np.asarray(perturbed, np.float64)
    if wrong.shape[:-1] != right.shape or wrong.ndim < 2 or not wrong.shape[-1]:
        raise ValueError(f"expected losses [..., n] and [..., n, k >= 1], found {right.shape} and {wrong.shape}")
    if not ((right >= 0).all() and (wrong >= 0).all()):
        raise ValueError("expected losses >= 0, found NaN or negative ones")
    match mean:
        case "geometric":
            return np.exp(right - wrong.mean(axis=-1))
        case "arithmetic":
            return np.exp(right) * np.exp(-wrong).mean(axis=-1)
    raise ValueError(f"mean: expected 'geometric' or 'arithmetic', found {mean!r}")


def forget_quality(unlearned: ArrayLike, retained: ArrayLike, *, method: Literal["asymp", "exact"] = "exact") -> float:
    """How well one unlearned model's truth ratios pass for those of one retrained model.

    Args:
        unlearned: [n] truth ratios of one unlearned model on the forget set.
        retained: [m] those of one model that never saw it.
        method: how the p-value is computed. Published tables have "exact" up to 10,000 questions.

    Returns:
        The p-value of the two-sided two-sample Kolmogorov-Smirnov test, in [0, 1].

    Raises:
        ValueError: an empty or wrongly shaped sample, NaN, or an unknown method.
    """
    samples = [np.asarray(sample, np.float64) for sample in (unlearned, retained)]
    if any(sample.ndim != 1 or not sample.size or np.isnan(sample).any() for sample in samples):
        raise ValueError("expected two samples of numbers in one axis each")
    if method not in ("asymp", "exact"):
        raise ValueError(f"method: expected 'asymp' or 'exact', found {method!r}")
    return float(ks_2samp(*samples, method=method).pvalue)


def pool_forget_quality(unlearned: ArrayLike, retained: ArrayLike) -> tuple[float, float]:
    """TOFU's forget quality for pools: model i of one against model i of the other.

    Args:
        unlearned, retained: [N, n] truth ratios of N models each.

    Returns:
        The median p-value, and the share of pairs that pass, both in [0, 1].
    """
    pairs = zip(np.asarray(unlearned), np.asarray(retained), strict=True)
    values = np.array([forget_quality(*pair) for pair in pairs])
    return float(np.median(values)), float(np.mean(values > PASSES))


def forget_aggregate(ratios: ArrayLike) -> float:
    """How close truth ratios are to 1: the mean of the smaller of each and its inverse, in (0, 1]."""
    ratios = np.asarray(ratios, np.float64)
    return float(np.minimum(ratios, 1 / ratios).mean())


def retain_aggregate(ratios: ArrayLike) -> float:
    """How well a model separates right answers from wrong ones: the mean of max(0, 1 - ratio), in [0, 1)."""
    return float(np.maximum(0, 1 - np.asarray(ratios, np.float64)).mean())


def probability(losses: ArrayLike) -> float:
    """The mean probability of answers, per token (geometric), in (0, 1], from [n] losses."""
    return float(np.exp(-np.asarray(losses, np.float64)).mean())


def probability_among(right: ArrayLike, wrong: ArrayLike) -> float:
    """The mean share of a right answer among all choices: from [n] and [n, k] losses, in (0, 1)."""
    one, others = np.exp(-np.asarray(right, np.float64)), np.exp(-np.asarray(wrong, np.float64))
    return float((one / (one + others.sum(axis=-1))).mean())


def model_utility(values: Mapping[str, float] | ArrayLike) -> float:
    """What a model is still good for: the harmonic mean of its measures on what it should know.

    Args:
        values: numbers in [0, 1]; TOFU has nine, each of probability, ROUGE-L recall and truth ratio on the retain
            set, real authors and world facts.

    Returns:
        Their harmonic mean, in [0, 1]; 0 if any is 0.

    Raises:
        ValueError: no number, or one outside [0, 1].
    """
    found = np.asarray(list(values.values()) if isinstance(values, Mapping) else values, np.float64)
    if found.ndim != 1 or not found.size or not ((found >= 0) & (found <= 1)).all():
        raise ValueError(f"expected numbers in [0, 1], found {found}")
    return float(hmean(found))
