"""Charts as SVG paths, in whole pixels."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BINS = 40
"""Per histogram of confidences."""


@dataclass(frozen=True)
class Axis:
    """Where numbers lie on a line of pixels.

    Attributes:
        low, high: the numbers at the ends.
        start, stop: the pixels at the ends; the first may be the larger.
    """

    low: float
    high: float
    start: float
    stop: float

    def at(self, value: float) -> float:
        """The pixel of a number, to a tenth."""
        share = (value - self.low) / (self.high - self.low) if self.high > self.low else 0.5
        return round(self.start + share * (self.stop - self.start), 1)


def steps(counts: Sequence[float] | NDArray, edges: Sequence[float], bottom: float, y: Axis) -> str:
    """The path of a histogram: closed along ``bottom``, between the pixels of its edges."""
    parts = [f"M{edges[0]:g} {bottom:g}"]
    for count, right in zip(counts, edges[1:], strict=True):
        parts.append(f"V{y.at(count):g}H{right:g}")
    return "".join([*parts, f"V{bottom:g}Z"])


@dataclass(frozen=True)
class Overlap:
    """Two histograms over each other, and where a rule draws its lines.

    Attributes:
        unlearned, retrained: paths.
        low, high: pixels of the rule's bounds; None where there is none.
        left, right: the smallest and the largest number, for the ends of the axis.
    """

    unlearned: str
    retrained: str
    low: float | None
    high: float | None
    left: float
    right: float


def overlap(
    unlearned: NDArray[np.float64],
    retrained: NDArray[np.float64],
    bounds: tuple[float | None, float | None],
    width: int,
    height: int,
) -> Overlap:
    """The confidences of both pools in one example, as histograms on a common axis.

    Args:
        unlearned, retrained: [N] confidences.
        bounds: of the strongest rule.
        width, height: in pixels.
    """
    both = np.concatenate([unlearned, retrained])
    low, high = float(both.min()), float(both.max())
    if high - low < 1e-9 * max(1.0, abs(high)):
        # Bins as narrow as that have no width.
        low, high = low - 0.5, high + 0.5
    edges = np.linspace(low, high, BINS + 1)
    counts = [np.histogram(pool, edges)[0] for pool in (unlearned, retrained)]
    x = Axis(float(edges[0]), float(edges[-1]), 0, width)
    y = Axis(0, max(int(one.max()) for one in counts), height, 1)
    pixels = [x.at(float(edge)) for edge in edges]
    paths = [steps(one, pixels, height, y) for one in counts]
    lower, upper = (None if bound is None else min(max(x.at(bound), 0.0), float(width)) for bound in bounds)
    return Overlap(paths[0], paths[1], lower, upper, float(both.min()), float(both.max()))


def ticks(low: float, high: float, most: int = 5) -> list[float]:
    """A few round tick values in a range."""
    if not high > low:
        return [low]
    raw = (high - low) / most
    power = 10.0 ** np.floor(np.log10(raw))
    step = next(power * one for one in (1, 2, 5, 10) if power * one >= raw)
    first, last = int(np.ceil(low / step - 1e-9)), int(np.floor(high / step + 1e-9))
    return [float(f"{number * step:.10g}") for number in range(first, last + 1)]
