"""The terminal table of one result."""

from pathlib import Path

from rich.table import Table
from rich.text import Text

from scoring.judging.interval import Spread
from scoring.reports.record import Accuracies, Floor, Pool, Report
from scoring.reports.recording import pool_of
from scoring.run import Judged
from starter_kit.errors import quoted

Lines = dict[str, float]
"""What a column says, by the labels of the lines."""

BLOCKS = (
    ("score", "forgetting quality"),
    ("retain accuracy", "forget accuracy", "test accuracy"),
    ("median epsilon", "over all thresholds", "proved (95%)", "guaranteed", "guaranteed (own reference)"),
    ("KS p-value (median)", "passes KS (share)", "model utility"),
    ("forget after relearning", "true examples found", "wrong ones written"),
    ("seconds of learning", "seconds per model", "megabytes of state"),
)


def table(report: Report) -> Table:
    """The submission, the retrained pool, the ceiling and the floor, side by side."""
    ceiling, retrained = report.ceiling, report.retrained
    name = quoted(report.submission.name)
    columns: dict[str, Lines] = {
        name: _lines(report.unlearned)
        | _bounds(report)
        | _learning(report)
        | _text(report)[0]
        | _comes_back(report)[0]
        | _generated(report)
        | _seconds(report.time.seconds),
        "retrained": _accuracy_lines(retrained.accuracy)
        | _text(report)[1]
        | _comes_back(report)[1]
        | _seconds(report.time.retraining_seconds),
        "ceiling": {
            "score": ceiling.value,
            "forgetting quality": ceiling.forgetting_quality,
            "median epsilon": ceiling.epsilon_median,
            "over all thresholds": ceiling.strongest_epsilon_median,
        },
        "floor": _floor_lines(report.floor) | _text(report)[2] | _comes_back(report)[2],
    }
    table = Table(title=Text(f"{name} on {_task(report)}, {report.run.models} models per pool"))
    table.add_column("")
    for number, heading in enumerate(columns):
        table.add_column(Text(heading), justify="right", style="bold" if number == 0 else "")
    _add_blocks(table, list(columns.values()))
    ratio, error = report.time.ratio, report.time.error
    table.add_row(
        "time over retraining", "" if ratio is None or error is None else f"{ratio:.2f} ± {2 * error:.2f}", "1"
    )
    for label, value in report.details.items():
        table.add_row(quoted(label), f"{value:.4f}")
    table.caption = Text("\n".join(_captions(report)))
    return table


def _captions(report: Report) -> list[str]:
    """How to read the score, one sentence per line."""
    score, ceiling = report.unlearned.score.value, report.ceiling
    low, high = ceiling.band
    found = [
        f"An exact method scores {low:.3f} to {high:.3f} in about 95% of runs.",
        f"With {report.run.models} models the largest finite epsilon is "
        f"{report.unlearned.epsilon.largest_possible:.2f}.",
    ]
    if report.interval:
        found.insert(0, _chance(*report.interval))
    if ceiling.value:
        found.insert(0, f"{quoted(report.submission.name)} reaches {100 * score / ceiling.value:.0f}% of the ceiling.")
    if report.guarantee and not report.guarantee.reference:
        found.append(
            f"Proved ≤ largest true epsilon ≤ guaranteed (delta {report.guarantee.delta:g}).\n"
            "The official epsilon is an estimate, not a bound."
        )
    return found


def _chance(low: float, high: float) -> str:
    return f"95% interval: {low:.4f} to {high:.4f}\n(other pools, this original model)"


def _task(report: Report) -> str:
    """What was to be forgotten of which task."""
    asked = report.request
    part = "" if asked.examples == asked.of else f" (forgetting {asked.examples} of {asked.of} examples)"
    return quoted(report.task.name) + part


def judged_table(path: Path, judged: Judged, spread: Spread | None) -> Table:
    """The figures of a pool of which only the outputs are known."""
    table = Table(title=f"{len(judged.outputs)} models per pool")
    if spread:
        table.caption = _chance(spread.interval().low, spread.interval().high)
    for heading in ("", quoted(path.stem)):
        table.add_column(Text(heading))
    _add_blocks(table, [_lines(pool_of(judged))])
    return table


def _add_blocks(table: Table, columns: list[Lines]) -> None:
    for block in BLOCKS:
        for label in block:
            cells = [f"{lines[label]:.4f}" if label in lines else "" for lines in columns]
            if any(cells):
                table.add_row(label, *cells)
        table.add_section()


def _lines(pool: Pool) -> Lines:
    return {
        "score": pool.score.value,
        "forgetting quality": pool.score.forgetting_quality,
        **_accuracy_lines(pool.accuracy),
        "median epsilon": pool.epsilon.median,
        "over all thresholds": pool.strongest_epsilon.median,
    }


def _bounds(report: Report) -> Lines:
    found = {"proved (95%)": report.audit.proved}
    if promise := report.guarantee:
        found["guaranteed (own reference)" if promise.reference else "guaranteed"] = promise.epsilon
    return found


def _learning(report: Report) -> Lines:
    if not report.learning:
        return {}
    learning = report.learning
    return {"seconds of learning": learning.seconds, "megabytes of state": learning.state_bytes / 1e6}


def _text(report: Report) -> tuple[Lines, Lines, Lines]:
    """TOFU's measures of the submission, the retrained models and the original."""
    if not report.text:
        return {}, {}, {}
    text = report.text
    unlearned = {
        "KS p-value (median)": text.forget_quality,
        "passes KS (share)": text.passing,
        "model utility": text.utility,
    }
    retrained = {"KS p-value (median)": text.retrained_quality, "model utility": text.retrained_utility}
    return _known(unlearned), _known(retrained), _known({"model utility": text.original_utility})


def _known(values: dict[str, float | None]) -> Lines:
    return {label: value for label, value in values.items() if value is not None}


def _comes_back(report: Report) -> tuple[Lines, Lines, Lines]:
    """The last accuracy of relearning, of the submission, the retrained models and the original."""
    if not report.relearning:
        return {}, {}, {}
    curves = report.relearning.unlearned, report.relearning.retrained, report.relearning.original
    unlearned, retrained, original = ({"forget after relearning": curve[-1]} for curve in curves)
    return unlearned, retrained, original


def _generated(report: Report) -> Lines:
    if not report.generated:
        return {}
    return {"true examples found": report.generated.found, "wrong ones written": report.generated.wrong}


def _floor_lines(floor: Floor) -> Lines:
    return {"score": floor.score.value, **_accuracy_lines(floor.accuracy), "median epsilon": floor.epsilon_median}


def _accuracy_lines(accuracy: Accuracies) -> Lines:
    return {f"{name} accuracy": getattr(accuracy, name) for name in ("retain", "forget", "test")}


def _seconds(seconds: float | None) -> Lines:
    return {} if seconds is None else {"seconds per model": seconds}
