"""Pools of models whose confidences are Gaussian, so that the truth about them is known."""

import numpy as np

from scoring.judging.outputs import Identity, Outputs


def gaussians(models, examples, seed, shift=0.0):
    """Outputs of models that differ by chance; each example has a fixed mean and width; ``shift`` is in widths."""
    places = np.random.default_rng(examples)
    place, width = places.normal(0, 3, examples), places.uniform(0.5, 3, examples)
    rng = np.random.default_rng(seed)
    ones = np.ones(models)
    return Outputs(
        identity=Identity("gaussians", 0, "none"),
        forget_confidence=rng.normal(place + shift * width, width, (models, examples)),
        test_confidence=rng.normal(0, 1, (models, 8)),
        retain_accuracy=ones,
        forget_accuracy=ones,
        validation_accuracy=ones,
        test_accuracy=rng.uniform(0.85, 0.95, models),
        seconds=ones,
        retraining_seconds=ones,
        seeds=np.arange(models, dtype=np.uint64),
    )
