"""The reports below a folder, and which of them can be compared."""

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from scoring.judging.score import RULES_VERSION
from scoring.reports.failure import FAILURE, Failure
from scoring.reports.record import Report, seeds_in_words
from starter_kit.errors import InputError, quoted


@dataclass(frozen=True)
class Found:
    """A report and its folder."""

    report: Report
    folder: Path


@dataclass(frozen=True)
class Apart:
    """A report that cannot be compared with the others of its task, and why."""

    name: str
    reason: str
    folder: Path


def found_below(root: Path) -> tuple[list[Found], list[Apart]]:
    """All readable reports below a folder, and what has no score. If a score occurs twice, the latest is kept.

    Raises:
        InputError: there is none.
    """
    latest: dict[tuple[str, _Kind, int, int | None, str], Found] = {}
    without = [_failed(path) for path in sorted(_files(root, FAILURE))]
    for path in sorted(_files(root, "report.json"), key=lambda path: path.stat().st_mtime):
        try:
            report = Report.model_validate_json(path.read_text(encoding="utf-8"))
        except (OSError, ValidationError, UnicodeDecodeError):
            without.append(Apart(path.parent.name, "written by another version of the kit, or damaged", path.parent))
            continue
        key = (report.task.name, _kind(report), report.rules.version, report.run.seed, report.submission.name)
        latest.pop(key, None)
        latest[key] = Found(report, path.parent)
    if not latest:
        raise InputError(f"There is no report below {quoted(root)}. Run make score, or name another folder: REPORTS=")
    return list(latest.values()), without


def _failed(path: Path) -> Apart:
    """A submission to a competition that has no score, with the last line of what its participant was told."""
    try:
        failure = Failure.model_validate_json(path.read_text(encoding="utf-8"))
    except (OSError, ValidationError, UnicodeDecodeError):
        return Apart(path.parent.name, "no score, and its reason cannot be read", path.parent)
    return Apart(failure.submission, failure.reason.strip().splitlines()[-1], path.parent)


def _files(root: Path, name: str) -> Iterator[Path]:
    """Every file of that name below a folder, also in folders that are linked to, each once."""
    seen = set()
    for folder, folders, names in os.walk(root, followlinks=True):
        if (place := os.path.realpath(folder)) in seen:
            folders.clear()
            continue
        seen.add(place)
        if name in names and (path := Path(folder, name)).is_file():
            yield path


def by_task(found: Sequence[Found]) -> dict[str, list[Found]]:
    """The reports of each task, by its name."""
    names = sorted({one.report.task.name for one in found})
    return {name: [one for one in found if one.report.task.name == name] for name in names}


def comparable(found: Sequence[Found]) -> tuple[list[Found], list[Apart]]:
    """The reports of a task that can be compared, and the others with the reason.

    Task, rules, request and number of models must be the same. The largest number of models is chosen, and of these
    the task and request with most reports. Of a submission, the text that was scored last counts.
    """
    kinds = Counter(_kind(one.report) for one in found if one.report.rules.version == RULES_VERSION)
    chosen = max(kinds, key=lambda kind: (kind.models, kinds[kind]), default=None)
    reasons = [_why_apart(one.report, chosen) for one in found]
    submissions = [one.report.submission for one in found]
    # The reports come in the order in which they were written.
    text = {one.name: one.sha256 for one, reason in zip(submissions, reasons, strict=True) if not reason}
    together, apart = [], []
    for one, reason in zip(found, reasons, strict=True):
        if not reason and one.report.submission.sha256 != text[one.report.submission.name]:
            reason = "the submission has changed since"
        if reason:
            name = f"{one.report.submission.name}, {seeds_in_words([one.report.run.seed])}"
            apart.append(Apart(name, reason, one.folder))
        else:
            together.append(one)
    return together, apart


@dataclass(frozen=True)
class _Kind:
    models: int
    task: str
    examples: int


def _kind(report: Report) -> _Kind:
    return _Kind(report.run.models, report.task.sha256, report.request.examples)


def _why_apart(report: Report, chosen: _Kind | None) -> str:
    kind = _kind(report)
    if report.rules.version != RULES_VERSION or chosen is None:
        return f"scored under rules version {report.rules.version}, not {RULES_VERSION}"
    if kind.models != chosen.models:
        return f"{kind.models} models per pool instead of {chosen.models}"
    if kind.examples != chosen.examples:
        return f"{kind.examples} examples to forget instead of {chosen.examples}"
    if kind.task != chosen.task:
        return "the task has changed since"
    return ""
