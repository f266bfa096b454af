"""The columns of a comparison: their names, their headings, and where their figures come from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import mean

import numpy as np

from scoring.reports.record import Accuracies, Report
from scoring.reports.recording import accuracies, floor_of
from scoring.run import Reference

Figures = dict[str, float | None]
"""A row's figures by the names of their columns."""


@dataclass(frozen=True)
class Column:
    """A column.

    Attributes:
        heading: a few short words; each is a line in a terminal.
        meaning: what it is, and how to read it.
        digits: after the decimal point.
    """

    heading: str
    meaning: str
    digits: int = 3


COLUMNS = {
    "quality": Column("forgetting quality", "in [0, 1]; the score is this times both accuracy ratios", 4),
    "retain": Column("retain", "accuracy on the retain set"),
    "forget": Column("forget", "accuracy on the forget set"),
    "test": Column("test", "accuracy on the test set"),
    "epsilon": Column("median epsilon", "over the forget examples; 50 stands for infinity", 2),
    "time": Column("time", "of a run, relative to retraining", 2),
    "attack": Column("attack", "of the challenge's starting kit: accuracy on single models; 0.5 is chance"),
    "population": Column("population attack", "area under the ROC curve; 0.5 is chance"),
    "u_lira": Column("U-LiRA", "accuracy; 0.5 is chance"),
    "u_lira_tpr": Column("U-LiRA TPR", "true positive rate at 1% false positives; 0.01 is chance"),
    "klom": Column("KLoM", "forget set, nats, 95th percentile; 0 means identical distributions", 2),
    "klom_test": Column("KLoM test", "test set, nats, 95th percentile; 0 means identical distributions", 2),
    "relearned": Column("after relearning", "accuracy on the forget set after a relearning attack"),
    "ks_p": Column("KS p", "median p-value of TOFU's test; above 0.05 is good forgetting"),
    "utility": Column("model utility", "TOFU's, in [0, 1]"),
}
"""All columns that can be chosen, by name."""

ALWAYS = ("retain", "forget", "test")


def usual(reports: list[Report]) -> tuple[str, ...]:
    """The columns that a terminal has room for: those that say most on this kind of task."""
    first = next(iter(reports), None)
    if first and first.relearning:
        return (*ALWAYS, "relearned", "time")
    if first and first.text and first.text.forget_quality is not None:
        return (*ALWAYS, "ks_p", "time")
    return (*ALWAYS, "epsilon", "time")


def mean_of_figures(figures: Sequence[Figures]) -> Figures:
    """The means over several seeds, of what is known on every seed."""
    found: Figures = {}
    for name in figures[0]:
        values = [value for one in figures if (value := one.get(name)) is not None]
        found[name] = mean(values) if len(values) == len(figures) else None
    return found


def figures_of(report: Report) -> Figures:
    """The figures of a submission, the score among them."""
    pool, text = report.unlearned, report.text
    return {
        "score": pool.score.value,
        "quality": pool.score.forgetting_quality,
        **accuracies_of(pool.accuracy),
        "epsilon": pool.epsilon.median,
        **report.judges,
        "relearned": report.relearning.unlearned[-1] if report.relearning else None,
        "ks_p": text.forget_quality if text else None,
        "utility": text.utility if text else None,
        "time": report.time.ratio,
    }


def reference_rows(
    reference: Reference, judged: Mapping[str, Mapping[str, float | None]], reports: list[Report]
) -> dict[str, Figures]:
    """The figures of the ceiling and of the floor.

    Args:
        reference: what submissions are compared with.
        judged: what other judges say of "ceiling" and "floor".
        reports: of the submissions. Each holds the same figures on relearning and text of the retrained and original
            models.
    """
    ceiling, floor = reference.ceiling, floor_of(reference.floor)
    relearning, text = next(((one.relearning, one.text) for one in reports), (None, None))
    return {
        "ceiling": {
            "score": ceiling.value,
            "quality": ceiling.forgetting_quality,
            **accuracies_of(accuracies(reference.retrained)),
            "epsilon": float(np.median(ceiling.epsilon)),
            **judged["ceiling"],
            # Of halves of a pool, and fewer models have a larger one, so it would mislead.
            "klom": None,
            "klom_test": None,
            "relearned": relearning.retrained[-1] if relearning else None,
            "ks_p": text.retrained_quality if text else None,
            "utility": text.retrained_utility if text else None,
        },
        "floor": {
            "score": floor.score.value,
            "quality": floor.score.forgetting_quality,
            **accuracies_of(floor.accuracy),
            "epsilon": floor.epsilon_median,
            **judged["floor"],
            "relearned": relearning.original[-1] if relearning else None,
            "utility": text.original_utility if text else None,
        },
    }


def shown(figures: Mapping[str, float | None], name: str) -> str:
    """A figure as a table shows it; nothing where there is none."""
    value = figures.get(name)
    return "" if value is None else f"{value:.{COLUMNS[name].digits}f}"


def accuracies_of(accuracy: Accuracies) -> Figures:
    """The accuracies that every comparison shows."""
    return {name: getattr(accuracy, name) for name in ALWAYS}
