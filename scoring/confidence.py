"""From logits to the one number that an attack looks at: the logit-scaled confidence."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

TINY = 1e-45
"""Added inside each logarithm, so that a saturated softmax stays finite (at most about 103.6)."""


def logit_scaled_confidence(logits: ArrayLike, labels: ArrayLike) -> NDArray[np.float64]:
    """How sure a model is of the true class, on a scale where its distribution is close to normal.

    ``log p_y - log sum of p_c over c != y``, with p the softmax of the logits; equation 5 of Carlini et
    al., "Membership Inference Attacks From First Principles" (2022), computed as the challenge's
    evaluator does: the exponentials in the logits' own precision, everything after them in float64.

    Args:
        logits: [B, C] floats, C >= 2; float32 or float64 as the network gave them.
        labels: [B] integers in [0, C).

    Returns:
        [B] float64 confidences in about [-103.6, 103.6], in nats.

    Raises:
        ValueError: shapes that do not fit, a label outside [0, C), or a NaN or infinite logit.
    """
    logits, labels = np.asarray(logits), np.asarray(labels)
    if logits.ndim != 2 or logits.shape[1] < 2:
        raise ValueError(f"logits: expected [examples, classes >= 2], found shape {logits.shape}")
    if not np.issubdtype(logits.dtype, np.floating):
        raise ValueError(f"logits: expected floating point numbers, found {logits.dtype}")
    if labels.shape != logits.shape[:1] or not np.issubdtype(labels.dtype, np.integer):
        raise ValueError(
            f"labels: expected {logits.shape[0]} integers, one an example, found shape {labels.shape} of {labels.dtype}"
        )
    if labels.size and not (labels.min() >= 0 and labels.max() < logits.shape[1]):
        raise ValueError(
            f"labels: expected values from 0 to {logits.shape[1] - 1}, found {labels.min()} to {labels.max()}"
        )
    if not np.isfinite(logits).all():
        bad = int((~np.isfinite(logits)).any(axis=1).sum())
        raise ValueError(f"logits: {bad} of {len(logits)} examples have a NaN or infinite logit")

    rows = np.arange(len(logits))
    probabilities = np.exp(logits - logits.max(axis=1, keepdims=True)).astype(np.float64)
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    correct = probabilities[rows, labels]
    # Summing the others, rather than taking 1 - correct, keeps the digits of a confident model.
    probabilities[rows, labels] = 0
    return np.log(correct + TINY) - np.log(probabilities.sum(axis=1) + TINY)
