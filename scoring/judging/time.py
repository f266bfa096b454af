"""The time that a submission takes, over that of retraining: the ratio, how sure it is, and the verdict."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from scoring.judging.outputs import Outputs

BUDGET = 0.2
"""The share of the time of retraining that the competition allows."""

Verdict = Literal["within", "over", "unsure"]


@dataclass(frozen=True)
class Ratio:
    """Mean seconds of a run over mean seconds of retraining one model alone, both measured side by side.

    Attributes:
        value: the ratio.
        error: its standard error. It reflects only the spread of the measurements.
    """

    value: float
    error: float

    @property
    def range(self) -> tuple[float, float]:
        """Two standard errors on either side: about 95%."""
        return self.value - 2 * self.error, self.value + 2 * self.error

    @property
    def verdict(self) -> Verdict:
        """Whether runs keep to the budget; "unsure" if the budget lies within the range."""
        low, high = self.range
        return "over" if low > BUDGET else "within" if high <= BUDGET else "unsure"


def ratio_of(outputs: Outputs) -> Ratio | None:
    """The ratio for a pool of unlearned models; None if its runs were not timed here."""
    runs, retraining = outputs.seconds, outputs.retraining_seconds[~np.isnan(outputs.retraining_seconds)]
    if np.isnan(runs).any() or len(retraining) < 2:
        return None
    value = runs.mean() / retraining.mean()
    relative = [np.std(one, ddof=1) / one.mean() / np.sqrt(len(one)) for one in (runs, retraining)]
    return Ratio(float(value), float(value * np.hypot(*relative)))


def exceeds(outputs: Outputs) -> bool:
    """Whether runs exceed the budget, by a judge who cannot be fooled by erratic runs.

    Only uncertainty in the time of retraining favours the submission. How much its runs vary is its own doing: a
    single run that sleeps would otherwise cast doubt on all.
    """
    if ratio_of(outputs) is None:
        return False
    retraining = outputs.retraining_seconds[~np.isnan(outputs.retraining_seconds)]
    most = retraining.mean() + 2 * np.std(retraining, ddof=1) / np.sqrt(len(retraining))
    return bool(outputs.seconds.mean() > BUDGET * most)
