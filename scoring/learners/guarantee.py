"""What a private learner promises about a request: an upper bound on epsilon, whatever attack is tried.

DP-SGD adds Gaussian noise to clipped gradients of randomly sampled examples. The number of forgotten examples in a
batch is binomial, so each step is a mixture-of-Gaussians mechanism (Ganesh 2024), and the steps compose through their
privacy loss distributions. Textbook group privacy, which extends the bound for one example to k, would be vacuous
beyond about ten examples.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Self

import numpy as np
from scipy.stats import binom

from starter_kit.errors import InputError, quoted
from starter_kit.extras import how_to_install

INTERVAL = 2e-3
"""Nats that the accountant's grid is wide. Rounding goes up, by less than 0.1 % of epsilon."""

MOST_STEPS = 10_000_000


@dataclass(frozen=True)
class Guarantee:
    """How a model was trained privately.

    Attributes:
        noise_multiplier: the noise's standard deviation, in units of the norm that gradients are clipped to; > 0.
        sample_rate: how likely each example is in a batch (Poisson sampling), in (0, 1].
        steps: how many steps were taken, >= 1.
        delta: of (epsilon, delta), in (0, 1).
        reference: None if it is about models that the same algorithm learns without the forgotten examples, which is
            what the score is about. Otherwise what unlearned models are near to, in words; the noise is then in units
            of what the whole request can change, however many examples that is.

    Raises:
        ValueError: a number is missing or out of range.
    """

    noise_multiplier: float
    sample_rate: float
    steps: int
    delta: float
    reference: str | None = None

    def __post_init__(self) -> None:
        bounds = {"noise_multiplier": (0, math.inf), "sample_rate": (0, 1), "steps": (0, MOST_STEPS), "delta": (0, 1)}
        for name, (low, high) in bounds.items():
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not low < value <= high:
                raise ValueError(f"a guarantee's {name} must be a number above {low} and at most {high}, not {value!r}")
        if not (self.reference is None or (isinstance(self.reference, str) and self.reference.isprintable())):
            raise ValueError(f"a guarantee's reference is a text on one line, not {quoted(repr(self.reference))}")
        if self.steps != int(self.steps) or math.isinf(self.noise_multiplier) or self.delta == 1:
            raise ValueError(f"expected whole steps, finite noise and a delta below 1, found {self}")

    @classmethod
    def of(cls, found: object) -> Self:
        """The guarantee that a model carries as a mapping with these four numbers, and no others."""
        names = [field.name for field in fields(cls) if field.name != "reference"]
        if not isinstance(found, Mapping) or set(found) - {"reference"} != set(names):
            raise ValueError(f"a guarantee has {', '.join(names)}, and perhaps a reference; found {quoted(str(found))}")
        return cls(**found)

    def epsilon(self, request: int) -> float:
        """The epsilon for a request of so many examples, in nats, at this delta.

        Raises:
            InputError: the package that computes it is not installed.
        """
        try:
            from dp_accounting import NeighboringRelation, dp_event
            from dp_accounting.pld import PLDAccountant
        except ImportError as error:
            raise InputError(
                "A private method's guarantee is computed by the package dp-accounting, which is not installed. "
                f"{how_to_install('dp_accounting')}"
            ) from error
        size = 1 if self.reference else request
        sampled = np.arange(size + 1)
        likely = binom.pmf(sampled, size, self.sample_rate)
        step = dp_event.MixtureOfGaussiansDpEvent(self.noise_multiplier, sampled.tolist(), likely.tolist())
        accountant = PLDAccountant(NeighboringRelation.ADD_OR_REMOVE_ONE, INTERVAL)
        accountant.compose(step, int(self.steps))
        return float(accountant.get_epsilon(self.delta))
