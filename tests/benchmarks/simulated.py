"""Simulated pools with Gaussian confidences, whose true scores can be found by repeating them."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from scoring.judging.outputs import Identity, Outputs

MODELS = (32, 64, 256, 512)
EXAMPLES = (20, 100, 400)
SHARED = (0.0, 0.5)
DIVERGED = 0.05
FRESH = 10_000
"""The seed of the first repeat. Those before it were looked at while the way to compute intervals was chosen."""

METHODS = {"null": (0.0, 0.0), "easy": (0.5, 0.3), "hard": (2.5, 1.0)}
"""How far confidences are moved, in standard deviations: mean and standard deviation over examples."""


@dataclass(frozen=True)
class Setting:
    """A kind of simulated pools.

    Attributes:
        models: per pool.
        shared: the share of a confidence's variance that all examples of a model have in common.
        diverged: the share of unlearned models that diverge: they answer at random.
    """

    models: int
    shared: float
    diverged: float = 0.0

    @property
    def name(self) -> str:
        """Its name in the results file."""
        lost = f", {self.diverged:g} diverged" if self.diverged else ""
        return f"{self.models} models, {self.shared:g} shared{lost}"


SETTINGS = (*(Setting(models, shared) for models in MODELS for shared in SHARED), Setting(64, 0.0, DIVERGED))


def pool(confidence: NDArray[np.float64], rng: np.random.Generator) -> Outputs:
    """Outputs with these confidences, and accuracies that vary a little."""
    models = len(confidence)
    ones = np.ones(models)
    return Outputs(
        identity=Identity("simulated", 0, "none"),
        forget_confidence=confidence,
        test_confidence=np.zeros((models, 1)),
        retain_accuracy=np.clip(rng.normal(0.95, 0.01, models), 0, 1),
        forget_accuracy=ones,
        validation_accuracy=ones,
        test_accuracy=np.clip(rng.normal(0.9, 0.02, models), 0, 1),
        seconds=ones,
        retraining_seconds=ones,
        seeds=np.zeros(models, np.uint64),
    )


def pools(setting: Setting, repeat: int) -> tuple[Outputs, dict[str, Outputs]]:
    """Retrained models, and those of each method. The examples are the same in all repeats."""
    models, shared = setting.models, setting.shared
    examples = max(EXAMPLES)
    fixed = np.random.default_rng(0)
    place, width = fixed.normal(0, 3, examples), fixed.uniform(0.5, 3, examples)
    sign = fixed.choice([-1, 1], examples)
    moved = {name: fixed.normal(*shift, examples) for name, shift in METHODS.items()}
    rng = np.random.default_rng([models, round(10 * shared), FRESH + repeat])

    def drawn(shift: NDArray[np.float64] | float, diverged: float) -> Outputs:
        own, common = rng.normal(size=(models, examples)), rng.normal(size=(models, 1))
        noise = np.sqrt(1 - shared) * own + np.sqrt(shared) * sign * common
        outputs = pool(place + width * (shift + noise), rng)
        if not diverged:
            return outputs
        lost = rng.random(models) < diverged
        confidence = np.where(lost[:, None], rng.normal(-8, 0.1, (models, examples)), outputs.forget_confidence)
        retain, test = (np.where(lost, 0.1, accuracy) for accuracy in (outputs.retain_accuracy, outputs.test_accuracy))
        return replace(outputs, forget_confidence=confidence, retain_accuracy=retain, test_accuracy=test)

    return drawn(0.0, 0.0), {name: drawn(shift, setting.diverged) for name, shift in moved.items()}
