"""Tables of methods on text, in Markdown, from the comparisons that `make language` left.

A page asks for them with comments, and everything up to the closing comment is written again::

    <!-- language authors -->
    <!-- end -->

The other names are ``hazards`` and ``concept``.
"""

import re
from collections.abc import Callable
from pathlib import Path
from statistics import mean

import numpy as np
from pydantic import ValidationError
from scipy.stats import spearmanr

from scoring.reports.comparison_record import ComparisonRecord
from scoring.reports.files import load_outputs
from scoring.reports.record import Report
from starter_kit.errors import InputError

MARK = re.compile(r"(<!-- language (authors|hazards|concept) -->\n).*?(<!-- end -->)", re.DOTALL)

Cells = dict[str, str]


def with_tables(page: str, reports: Path) -> str:
    """The page with its tables written again.

    Raises:
        InputError: a comparison does not exist or cannot be read.
    """
    tables: dict[str, Callable[[Path], str]] = {"authors": _authors, "hazards": _hazards, "concept": _concept}
    return MARK.sub(lambda match: f"{match[1]}\n{tables[match[2]](reports / 'language')}\n\n{match[3]}", page)


def _authors(folder: Path) -> str:
    """Means over seeds, with the score of each."""
    records = [_read(path) for path in sorted(folder.glob("authors-*"))]
    if not records:
        raise InputError(f"There is no comparison in {folder}. Run make language")
    by_name = {
        report.submission.name: [_found(record, report.submission.name) for record in records]
        for report in records[0].ranking
    }
    complete = {name: [one for one in found if one] for name, found in by_name.items() if all(found)}
    order = sorted(complete, key=lambda name: -mean(one.unlearned.score.value for one in complete[name]))
    rows = [_author_row(name, complete[name]) for name in order]
    first = records[0].ranking[0]
    ceilings = [record.ranking[0].ceiling.value for record in records]
    spread = _spread(folder / "authors-0" / first.submission.name)
    return "\n\n".join([_markdown(rows), _correlation(complete), spread, _footer(first, records, ceilings)])


def _spread(folder: Path) -> str:
    """How much harder some forget examples are than others."""
    medians = np.median(load_outputs(folder / "retrained.npz").forget_confidence, axis=0)
    lowest, tenth, middle, ninth, highest = np.percentile(medians, [0, 10, 50, 90, 100])
    return (
        f"Retrained models' median confidence in a forget example runs from {lowest:.1f} to {highest:.1f}: a tenth "
        f"of the examples lie below {tenth:.1f}, half below {middle:.1f}, nine tenths below {ninth:.1f} (seed 0)."
    )


def _author_row(name: str, reports: list[Report]) -> Cells:
    def average(of: Callable[[Report], float | None], digits: int) -> str:
        values = [value for value in map(of, reports) if value is not None]
        return f"{mean(values):.{digits}f}" if values else ""

    return {
        "submission": name,
        "score": average(lambda one: one.unlearned.score.value, 4),
        "by seed": " / ".join(f"{one.unlearned.score.value:.3f}" for one in reports),
        "retain": average(lambda one: one.unlearned.accuracy.retain, 3),
        "forget": average(lambda one: one.unlearned.accuracy.forget, 3),
        "test": average(lambda one: one.unlearned.accuracy.test, 3),
        "median epsilon": average(lambda one: one.unlearned.epsilon.median, 2),
        "KS p": average(lambda one: _text(one, "forget_quality"), 3),
        "passes KS": average(lambda one: _text(one, "passing"), 2),
        "utility": average(lambda one: _text(one, "utility"), 3),
        "time": average(lambda one: one.time.ratio, 2),
    }


def _correlation(complete: dict[str, list[Report]]) -> str:
    """How far TOFU's own test agrees with the score."""
    pairs = [
        (mean(one.unlearned.score.value for one in found), mean(_text(one, "forget_quality") or 0 for one in found))
        for found in complete.values()
    ]
    agreement = spearmanr(*zip(*pairs, strict=True)).statistic
    passing = [
        (name, mean(one.unlearned.score.value / one.ceiling.value for one in found))
        for name, found in complete.items()
        if mean(_text(one, "passing") or 0 for one in found) > 0.5
    ]
    said = f"Spearman's rank correlation between score and KS p over {len(pairs)} methods: {agreement:.2f}. "
    if not passing:
        return said + "No method passes the KS test in more than half of its models."
    best, share = max(passing, key=lambda one: one[1])
    return (
        f"{said}Methods that pass the KS test in more than half of their models: {len(passing)}. The best of them, "
        f"`{best}`, reaches {100 * share:.0f}% of the ceiling."
    )


def _hazards(folder: Path) -> str:
    record = _read(folder / "hazards")
    rows = [
        {
            "submission": one.submission.name,
            "score": f"{one.unlearned.score.value:.4f}",
            "retain": f"{one.unlearned.accuracy.retain:.3f}",
            "forget": f"{one.unlearned.accuracy.forget:.3f}",
            "after relearning": _last(one.relearning.unlearned if one.relearning else []),
            "test": f"{one.unlearned.accuracy.test:.3f}",
            "median epsilon": f"{one.unlearned.epsilon.median:.2f}",
        }
        for one in record.ranking
    ]
    first = record.ranking[0]
    again = first.relearning
    known = {"*retrained*": (first.retrained.accuracy, again and again.retrained)}
    known |= {"*original*": (first.floor.accuracy, again and again.original)}
    for name, (accuracy, curve) in known.items():
        figures = {"retain": accuracy.retain, "forget": accuracy.forget, "test": accuracy.test}
        shown = {key: f"{value:.3f}" for key, value in figures.items()}
        rows.append({"submission": name, **shown, "after relearning": _last(curve or [])})
    return f"{_markdown(rows)}\n\n{_footer(first, [record], [first.ceiling.value])}"


def _concept(folder: Path) -> str:
    described, listed = _read(folder / "concept"), _read(folder / "listed")
    rows = []
    for record, given in ((described, "a text"), (listed, "the true rows")):
        for one in record.ranking:
            found = one.generated
            rows.append(
                {
                    "submission": one.submission.name,
                    "given": given,
                    "score": f"{one.unlearned.score.value:.4f}",
                    "ceiling": f"{one.ceiling.value:.4f}",
                    "retain": f"{one.unlearned.accuracy.retain:.3f}",
                    "forget": f"{one.unlearned.accuracy.forget:.3f}",
                    "test": f"{one.unlearned.accuracy.test:.3f}",
                    "written": f"{found.examples:.0f}" if found else "",
                    "true ones found": f"{found.found:.2f}" if found else "",
                    "wrong": f"{found.wrong:.2f}" if found else "",
                }
            )
    first = described.ranking[0]
    return f"{_markdown(rows)}\n\n{_footer(first, [described], [first.ceiling.value])}"


def _read(folder: Path) -> ComparisonRecord:
    path = folder / "comparison.json"
    try:
        return ComparisonRecord.model_validate_json(path.read_text(encoding="utf-8"))
    except (OSError, ValidationError) as error:
        raise InputError(f"{path} is not a comparison of this version of the kit. Run make language") from error


def _found(record: ComparisonRecord, name: str) -> Report | None:
    return next((one for one in record.ranking if one.submission.name == name), None)


def _text(report: Report, measure: str) -> float | None:
    """One of TOFU's measures."""
    return None if report.text is None else getattr(report.text, measure)


def _last(curve: list[float]) -> str:
    return f"{curve[-1]:.3f}" if curve else ""


def _markdown(rows: list[Cells]) -> str:
    columns = list(rows[0])
    lines = [columns, *([row.get(column, "") for column in columns] for row in rows)]
    written = [f"| {' | '.join(line)} |" for line in lines]
    return "\n".join([written[0], "|---|" + "--:|" * (len(columns) - 1), *written[1:]])


def _footer(first: Report, records: list[ComparisonRecord], ceilings: list[float]) -> str:
    """How the table was made."""
    host = first.run.host
    seeds = ", ".join(str(record.seed) for record in records)
    ceiling = " / ".join(f"{value:.3f}" for value in ceilings)
    plural = "s" * (len(records) > 1)
    forget = mean(record.ranking[0].retrained.accuracy.forget for record in records)
    return (
        f"`make language`: {first.run.models} models per pool, seed{plural} {seeds}. Ceiling {ceiling}; retrained "
        f"models get {forget:.3f} of the forget set right. Python {host['python']}, torch "
        f"{host['torch']}, numpy {host['numpy']}; {host['cpu']} ({host['cpu_capability']}), {host['device']}."
    )
