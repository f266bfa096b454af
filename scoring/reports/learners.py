"""The table of exact, merged and private submissions, in Markdown, from the comparisons that `make learners` left.

A page asks for it with a comment, and everything up to the closing comment is written again::

    <!-- learners -->
    <!-- end -->
"""

import re
from pathlib import Path

from pydantic import ValidationError

from scoring.reports.comparison_record import ComparisonRecord
from scoring.reports.record import Report
from starter_kit.errors import InputError

MARK = re.compile(r"(<!-- learners -->\n).*?(<!-- end -->)", re.DOTALL)

COLUMNS = (
    "submission",
    "forgotten",
    "models",
    "score",
    "its ceiling",
    "retain",
    "test",
    "median epsilon",
    "proved",
    "guaranteed",
    "certificate",
    "learning, s",
    "unlearning, s",
    "retraining, s",
    "state, MB",
)


def with_table(page: str, reports: Path) -> str:
    """The page with its table written again, if it asks for one.

    Raises:
        InputError: a comparison does not exist or cannot be read.
    """
    return MARK.sub(lambda match: f"{match[1]}\n{_table(reports / 'learners')}\n\n{match[2]}", page)


def _table(folder: Path) -> str:
    lines = [f"| {' | '.join(COLUMNS)} |", "|---|" + "--:|" * (len(COLUMNS) - 1)]
    paths = sorted(folder.glob("*/comparison.json"), reverse=True)
    if not paths:
        raise InputError(f"There is no comparison in {folder}. Run make learners")
    for path in paths:
        try:
            record = ComparisonRecord.model_validate_json(path.read_text(encoding="utf-8"))
        except (OSError, ValidationError) as error:
            raise InputError(f"{path} is not a comparison of this version of the kit. Run make learners") from error
        lines += [f"| {' | '.join(_cells(report))} |" for report in record.ranking]
    host = record.ranking[0].run.host
    footer = (
        f"`make learners`, `SEED={record.seed}`. Proved: a lower bound on the largest epsilon (95% confidence). "
        f"Python {host['python']}, torch {host['torch']}, numpy {host['numpy']}; {host['cpu']} "
        f"({host['cpu_capability']}), {host['device']}."
    )
    return "\n".join(lines) + f"\n\n{footer}"


def _cells(report: Report) -> list[str]:
    pool, time, learning = report.unlearned, report.time, report.learning
    return [
        report.submission.name,
        str(report.request.examples),
        str(report.run.models),
        f"{pool.score.value:.4f}",
        f"{report.ceiling.value:.4f}",
        f"{pool.accuracy.retain:.4f}",
        f"{pool.accuracy.test:.4f}",
        f"{pool.epsilon.median:.2f}",
        f"{report.audit.proved:.2f}",
        _guaranteed(report),
        _certified(report),
        "" if learning is None else f"{learning.seconds:.2f}",
        "" if time.seconds is None else f"{time.seconds:.2f}",
        "" if time.retraining_seconds is None else f"{time.retraining_seconds:.2f}",
        "" if learning is None else f"{learning.state_bytes / 1e6:.1f}",
    ]


def _guaranteed(report: Report) -> str:
    promise = report.guarantee
    if promise is None:
        return ""
    if promise.reference:
        return f"{promise.epsilon:.2f} (own reference)"
    return f"{promise.epsilon:.2f} (delta {promise.delta:g})" + (" **contradicted**" if promise.contradicted else "")


def _certified(report: Report) -> str:
    found = report.certificate
    if found is None:
        return ""
    return f"{found.seeds} × {len(found.requests)}" if found.exact else "not exact"
