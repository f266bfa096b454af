"""Unlearning: how hard it is to tell unlearned models from retrained ones, times how much accuracy is left.

The metric of the NeurIPS 2023 Machine Unlearning Challenge, for tables of answers. A row is a model. Its columns are
``example_0``, ``example_1`` and so on: the model's logit-scaled confidence in the true class of each forget example,
``ln(p / (1 - p))``; then ``retain_accuracy`` and ``test_accuracy``, from 0 to 1. The solution holds the answers of
models that were retrained without these examples, and the submission those of unlearned models.

For each example, threshold rules try to tell the two kinds of models apart. The errors of the strongest rule give an
epsilon. The example's credit is 1 if epsilon is below 0.5, and halves with each further 0.5. The score is the mean
credit times the ratios of both mean accuracies, unlearned over retrained. A perfect method with infinitely many models
scores 1.

This metric sees numbers. It cannot see whether models were made from the original one, or in what time, or at all.
"""

import numpy as np
import pandas as pd

ACCURACIES = ["retain_accuracy", "test_accuracy"]
DELTA = 1e-5
CAP = 50.0
"""The epsilon of an example without a valid rule, and of one that a rule decides without any error."""

LARGEST = 1000
"""No confidence is larger: in double precision, logits give at most 104. Rules are tried in steps over their range."""

COLLAPSED = 0.01
"""If one pool's range is narrower than this share of the other's, no rule is tried."""

PER_UNIT, BUFFER = 100, 2.0
"""Thresholds per unit of confidence, and how far the ends of intervals move."""


class ParticipantVisibleError(Exception):
    """An error that Kaggle shows to the participant."""


def score(solution: pd.DataFrame, submission: pd.DataFrame, row_id_column_name: str) -> float:
    """The score of a submission. Higher is better.

    Args:
        solution: the answers of retrained models.
        submission: the answers of as many unlearned models.
        row_id_column_name: the column that numbers the models.

    Raises:
        ParticipantVisibleError: the submission is not such a table.

    The same answers as the retrained models score 1 if the accuracies are equal too:

    >>> draws = np.random.default_rng(0).normal(size=(2, 64, 3))
    >>> def table(answers, accuracy):
    ...     columns = {f"example_{at}": answers[:, at] for at in range(3)}
    ...     return pd.DataFrame({"id": range(64)} | columns | {name: accuracy for name in ACCURACIES})
    >>> round(score(table(draws[0], 0.5), table(draws[0], 0.5), "id"), 3)
    1.0
    >>> score(table(draws[0], 0.5), table(draws[1] + 9, 0.5), "id")
    0.0
    >>> score(table(draws[0], 0.5), table(draws[1], 0.5).drop(columns="example_2"), "id")
    Traceback (most recent call last):
    ...
    kaggle_metric.ParticipantVisibleError: The column example_2 is missing.
    """
    examples = [name for name in solution.columns if str(name).startswith("example_")]
    truth, claimed = (_ordered(table, examples, row_id_column_name) for table in (solution, submission))
    if list(truth[row_id_column_name]) != list(claimed[row_id_column_name]):
        raise ParticipantVisibleError(
            f"Expected one row for each of the {len(truth)} values of {row_id_column_name} in the sample submission."
        )
    epsilon = [_epsilon(claimed[name].to_numpy(float), truth[name].to_numpy(float)) for name in examples]
    retain, test = (claimed[name].mean() / truth[name].mean() for name in ACCURACIES)
    return float(_credit(np.array(epsilon), len(truth)).mean() * retain * test)


def _ordered(table: pd.DataFrame, examples: list[str], row_id: str) -> pd.DataFrame:
    """The table by the numbers of its models. Raises ``ParticipantVisibleError`` if it is not what it must be."""
    expected = [row_id, *examples, *ACCURACIES]
    if missing := [name for name in expected if name not in table.columns]:
        raise ParticipantVisibleError(f"The column {missing[0]} is missing.")
    for name in expected[1:]:
        values = pd.to_numeric(table[name], errors="coerce")
        if not np.isfinite(values).all():
            raise ParticipantVisibleError(f"Expected finite numbers in the column {name}.")
        if (values.abs() > LARGEST).any():
            raise ParticipantVisibleError(f"Expected numbers from {-LARGEST} to {LARGEST} in the column {name}.")
        if name in ACCURACIES and not values.between(0, 1).all():
            raise ParticipantVisibleError(f"Expected numbers from 0 to 1 in the column {name}.")
    return table.astype(dict.fromkeys(expected[1:], float)).sort_values(row_id)


def _credit(epsilon: np.ndarray, models: int) -> np.ndarray:
    """What an example's epsilon is worth. Epsilons beyond what so many models can show are worth nothing."""
    steps = np.floor(epsilon / 0.5)
    return np.where(steps < np.ceil(np.log(models - 1)) / 0.5, 2.0**-steps, 0.0)


def _epsilon(unlearned: np.ndarray, retrained: np.ndarray) -> float:
    """How far one example gives away whether a model was unlearned or retrained, from 0 to 50.

    Args:
        unlearned, retrained: the confidences of as many models.
    """
    narrow, wide = sorted([np.ptp(unlearned), np.ptp(retrained)])
    if wide == 0 or narrow / wide < COLLAPSED:
        return CAP
    swap = np.median(retrained) > np.median(unlearned)
    high, low = (retrained, unlearned) if swap else (unlearned, retrained)
    strongest = max(_strongest(*_thresholds(high, low), len(high)), _strongest(*_intervals(high, low), len(high)))
    return CAP if strongest < 0 else min(strongest, CAP)


def _strongest(false_positives: np.ndarray, false_negatives: np.ndarray, models: int) -> float:
    """The largest epsilon of some rules, from their errors; -1 if none is valid. In float32, as in the challenge."""
    rates = [errors.astype(np.float32) / np.float32(models) for errors in (false_positives, false_negatives)]
    fpr, fnr = (rate.ravel() for rate in rates)
    one = np.float32(1 - DELTA)
    with np.errstate(divide="ignore", invalid="ignore"):
        epsilon = np.fmax(np.log(one - fpr) - np.log(fnr), np.log(one - fnr) - np.log(fpr))
    epsilon = np.maximum(epsilon, np.float32(0))
    # If only one kind of error occurs, the rate of the other kind is unknown.
    epsilon[(fpr == 0) != (fnr == 0)] = -1
    epsilon[(fpr == 0) & (fnr == 0)] = np.inf
    return float(epsilon.max())


def _thresholds(high: np.ndarray, low: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The errors of "high if at least t", for thresholds on a grid over both pools."""
    first, last = (np.float32(end) for end in (min(high.min(), low.min()), max(high.max(), low.max())))
    exact = max(high.max(), low.max()) - min(high.min(), low.min())
    size = int(np.ceil(exact * PER_UNIT))
    grid = np.full(size, first, float)
    if size > 1:
        # The bits of torch.linspace, with which the challenge made its grid: filled from both ends.
        step, index = np.float64((last - first) / np.float32(size - 1)), np.arange(size)
        grid = np.where(index < size // 2, first + step * index, last - step * (size - 1 - index))
        grid = grid.astype(np.float32).astype(float)
    false_negatives = np.searchsorted(np.sort(high), grid)
    return len(low) - np.searchsorted(np.sort(low), grid), false_negatives


def _intervals(high: np.ndarray, low: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The errors of "narrow if between l and r", for intervals about as wide as the narrower pool."""
    narrow, wide = (high, low) if np.ptp(high) < np.ptp(low) else (low, high)
    width = np.ptp(narrow)
    first, last = narrow.min() + width - BUFFER, narrow.max() + BUFFER
    right = np.linspace(first, last, int(np.ceil((last - first) * PER_UNIT)))
    left = np.stack(
        [np.linspace(r - width - BUFFER, r - width + BUFFER, int(np.ceil(2 * BUFFER * PER_UNIT))) for r in right]
    )

    def inside(pool: np.ndarray) -> np.ndarray:
        ordered = np.sort(pool)
        up_to = np.searchsorted(ordered, right, side="right")[:, None]
        return up_to - np.minimum(np.searchsorted(ordered, left), up_to)

    return inside(wide), len(narrow) - inside(narrow)
