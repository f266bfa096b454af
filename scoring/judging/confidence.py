"""From logits to the one number that an attack looks at: the confidence in the true answer."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

NOT_ASKED = -100
"""The label of a position where nothing is asked."""

TINY = 1e-45
"""Added inside each logarithm, so that a saturated softmax stays finite (at most about 103.6)."""


def logit_scaled_confidence(logits: ArrayLike, labels: ArrayLike) -> NDArray[np.float64]:
    """How confident a model is in the true answer, on a scale where its distribution is close to normal.

    For one class: ``log p_y - log sum of p_c over c != y``, with p the softmax of the logits. This is equation 5 of
    Carlini et al., "Membership Inference Attacks From First Principles" (2022), computed as the challenge's evaluator
    does: the exponentials in the logits' own precision, everything after them in float64.

    For a sequence: the same log-odds of the whole answer, ``s - log(1 - exp(s))``, where s is the sum of the log
    probabilities of all classes that are asked for. A sequence of length one gives the number above up to rounding.

    Args:
        logits: [B, C] or [B, C, L] floats, C >= 2; float32 or float64 as the network gave them.
        labels: [B] integers in [0, C), or [B, L] with -100 where nothing is asked.

    Returns:
        [B] float64 confidences in nats. For one class they lie in about [-103.6, 103.6].

    Raises:
        ValueError: shapes that do not fit, a label out of range, or a NaN or infinite logit.
    """
    logits, labels = np.asarray(logits), np.asarray(labels)
    _check(logits, labels)
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True)).astype(np.float64)
    exponentials /= exponentials.sum(axis=1, keepdims=True)
    if logits.ndim == 2:
        correct, others = _split(exponentials, labels)
        return np.log(correct + TINY) - np.log(others + TINY)
    # [B, C, L] as [B * L, C]: one class after the other.
    positions = np.moveaxis(exponentials, 1, 2).reshape(-1, logits.shape[1])
    asked = labels.ravel() != NOT_ASKED
    correct, others = _split(positions, np.where(asked, labels.ravel(), 0))
    # log1p keeps the digits of a confident model, log those of an unsure one.
    log_probability = np.where(correct > 0.5, np.log1p(-np.minimum(others, 0.5)), np.log(correct + TINY))
    log_probability = np.where(asked, log_probability, 0.0).reshape(labels.shape).sum(axis=1)
    return log_probability - np.log(-np.expm1(log_probability) + TINY)


def _split(probabilities: NDArray[np.float64], labels: NDArray) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The probability of the label and that of all other classes; [n] each from [n, C]. Overwrites its argument."""
    rows = np.arange(len(labels))
    correct = probabilities[rows, labels]
    # The sum of the others, rather than 1 - correct, keeps the digits of a confident model.
    probabilities[rows, labels] = 0
    return correct, probabilities.sum(axis=1)


def _check(logits: NDArray, labels: NDArray) -> None:
    """Raise ``ValueError`` for logits or labels that do not fit."""
    if logits.ndim not in (2, 3) or logits.shape[1] < 2:
        raise ValueError(f"logits: expected [B, C] or [B, C, L] with C >= 2, found shape {logits.shape}")
    if not np.issubdtype(logits.dtype, np.floating):
        raise ValueError(f"logits: expected floating point numbers, found {logits.dtype}")
    expected = logits.shape[:1] + logits.shape[2:]
    if labels.shape != expected or not np.issubdtype(labels.dtype, np.integer):
        raise ValueError(f"labels: expected integers of shape {expected}, found shape {labels.shape} of {labels.dtype}")
    if logits.ndim == 3 and not (labels != NOT_ASKED).any(axis=1).all():
        raise ValueError(f"labels: every example must ask for something, but some are all {NOT_ASKED}")
    wanted = labels if logits.ndim == 2 else labels[labels != NOT_ASKED]
    if wanted.size and not (wanted.min() >= 0 and wanted.max() < logits.shape[1]):
        raise ValueError(f"labels: expected classes 0 to {logits.shape[1] - 1}, found {wanted.min()} to {wanted.max()}")
    if not np.isfinite(logits).all():
        bad = int((~np.isfinite(logits).reshape(len(logits), -1).all(axis=1)).sum())
        raise ValueError(f"logits: {bad} of {len(logits)} examples have a NaN or infinite logit")
