"""What a private learner promises about a request: an upper bound on epsilon, whatever attack is tried.

DP-SGD adds Gaussian noise to clipped gradients of randomly sampled examples. The number of forgotten examples in a
batch is binomial, so each step is a mixture-of-Gaussians mechanism (Ganesh 2024), and the steps compose through their
privacy loss distributions. Textbook group privacy, which extends the bound for one example to k, would be vacuous
beyond about ten examples.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cache
from typing import Self

import numpy as np
from scipy.stats import binom

from starter_kit.errors import InputError, quoted
from starter_kit.extras import how_to_install

INTERVAL, POINTS = 2e-3, 100_000
"""Nats between the points of the accountant's grid, and the most points for a step; the grid is coarser then.

Rounding goes up: by less than 0.1% of epsilon with the finer grid, and by some percent of large ones with a coarser.
"""

LONGEST_SHOWN = 40

VACUOUS = 10_000.0
"""Nats that a single step may reveal. What reveals more promises nothing, and computing how little takes long."""

BOUNDS = {"noise_multiplier": (1e-3, 1e6), "sample_rate": (1e-9, 1), "steps": (1, 1e6), "delta": (1e-15, 0.01)}
"""The least and the most that a guarantee may say."""


@dataclass(frozen=True)
class Guarantee:
    """How a model was trained privately.

    Attributes:
        noise_multiplier: the noise's standard deviation, in units of the norm that gradients are clipped to.
        sample_rate: how likely each example is in a batch (Poisson sampling).
        steps: how many steps were taken.
        delta: of (epsilon, delta).
        reference: None if it is about models that the same algorithm learns without the forgotten examples, which is
            what the score is about. Otherwise what unlearned models are near to, in words; the noise is then in units
            of what the whole request can change, however many examples that is.

    Raises:
        ValueError: a number is missing or outside of ``BOUNDS``.
    """

    noise_multiplier: float
    sample_rate: float
    steps: int
    delta: float
    reference: str | None = None

    def __post_init__(self) -> None:
        for name, (low, high) in BOUNDS.items():
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
                shown = quoted(repr(value)[:LONGEST_SHOWN])
                raise ValueError(f"a guarantee's {name} must be a number from {low:g} to {high:g}, not {shown}")
        if not (self.reference is None or (isinstance(self.reference, str) and self.reference.isprintable())):
            raise ValueError(f"a guarantee's reference is a text on one line, not {quoted(repr(self.reference))}")
        if self.steps != int(self.steps):
            raise ValueError(f"a guarantee's steps must be a whole number, not {self.steps}")

    @classmethod
    def of(cls, found: object) -> Self:
        """The guarantee that a model carries as a mapping with these four numbers, and no others."""
        names = [field.name for field in fields(cls) if field.name != "reference"]
        if not isinstance(found, Mapping) or set(found) - {"reference"} != set(names):
            raise ValueError(f"a guarantee has {', '.join(names)}, and perhaps a reference; found {quoted(str(found))}")
        return cls(**found)

    @cache  # noqa: B019  There are few guarantees, and it takes seconds.
    def epsilon(self, request: int) -> float:
        """The epsilon for a request of so many examples, in nats, at this delta.

        Raises:
            InputError: the package that computes it is not installed, or the guarantee promises nothing.
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
        shift = size / self.noise_multiplier
        # What a step reveals lies within this, but for less than delta.
        reach = shift**2 / 2 + 10 * shift
        if reach > VACUOUS:
            raise InputError(
                f"The guarantee promises nothing for a request of {request} examples, because its noise is too small "
                f"({self.noise_multiplier:g} times the clipping norm). Ask for fewer examples with FORGET=, or leave "
                "the guarantee out."
            )
        sampled = np.arange(size + 1)
        likely = binom.pmf(sampled, size, self.sample_rate)
        step = dp_event.MixtureOfGaussiansDpEvent(self.noise_multiplier, sampled.tolist(), likely.tolist())
        accountant = PLDAccountant(NeighboringRelation.ADD_OR_REMOVE_ONE, max(INTERVAL, reach / POINTS))
        accountant.compose(step, int(self.steps))
        return float(accountant.get_epsilon(self.delta))
