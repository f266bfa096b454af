"""The leaderboard: every report below a folder, one page per task, and the same as CSV and JSON."""

import csv
import io
import json
import os
import re
from collections.abc import Collection, Mapping, Sequence
from itertools import chain, count
from pathlib import Path
from statistics import mean

from scoring.judging.groups import groups
from scoring.judging.interval import Spread, mean_of, spread_of
from scoring.judging.score import RULES_VERSION
from scoring.reports.columns import Figures, accuracies_of, figures_of, mean_of_figures
from scoring.reports.files import load_outputs
from scoring.reports.found import Apart, Found, by_task, comparable, found_below
from scoring.reports.notes import notes_on_models
from scoring.reports.page.ranking import GROUPED, Entry, ranking_page
from scoring.reports.page.render import link_to
from scoring.reports.place import write_together
from scoring.reports.record import Report, seeds_in_words
from starter_kit.errors import InputError

LONGEST_NAME = 100
"""Of a page's file, without its ending."""


def entries(together: Sequence[Found], pages: Path) -> list[Entry]:
    """A row per submission, with a score per seed, and the ceiling and the floor."""
    names = sorted({one.report.submission.name for one in together})
    of_name = {name: [one for one in together if one.report.submission.name == name] for name in names}
    group = _groups(of_name)
    rows = [_entry(name, some, group.get(name), pages) for name, some in of_name.items()]
    return [*rows, *_references({one.report.run.seed: one.report for one in together if _by_recipe(one)})]


def seeds_of(together: Sequence[Found]) -> list[int | None]:
    """The seeds of some scores, each once."""
    return sorted({one.report.run.seed for one in together}, key=_by_seed)


def _by_seed(seed: int | None) -> int:
    """Where a seed belongs in their order: a secret one comes first."""
    return -1 if seed is None else seed


def _groups(of_name: Mapping[str, Sequence[Found]]) -> dict[str, int]:
    """The groups of the submissions that have all seeds: the mean over others may be higher for its originals alone."""
    every = seeds_of([one for some in of_name.values() for one in some])
    complete = {name: some for name, some in of_name.items() if seeds_of(some) == every}
    of_task = {one.report.run.seed: one.folder for some in of_name.values() for one in some if _by_recipe(one)}
    spreads = {name: spread for name, some in complete.items() if (spread := _spread(some, of_task))}
    return groups(spreads) if len(spreads) > 1 else {}


def _by_recipe(one: Found) -> bool:
    """Whether its ceiling and floor are the task's."""
    return one.report.run.learner == "recipe"


def _references(by_seed: Mapping[int | None, Report]) -> list[Entry]:
    """The ceiling and the floor, each with a score per seed."""
    seeds = sorted(by_seed, key=_by_seed)
    if not seeds:
        return []
    reports = [by_seed[seed] for seed in seeds]
    ceilings: list[Figures] = [
        accuracies_of(one.retrained.accuracy)
        | {"quality": one.ceiling.forgetting_quality, "epsilon": one.ceiling.epsilon_median}
        for one in reports
    ]
    floors: list[Figures] = [
        accuracies_of(one.floor.accuracy)
        | {"quality": one.floor.score.forgetting_quality, "epsilon": one.floor.epsilon_median}
        for one in reports
    ]
    values = [[one.ceiling.value for one in reports], [one.floor.score.value for one in reports]]
    return [
        Entry(name, dict(zip(seeds, some, strict=True)), {}, mean_of_figures(figures), reference=True)
        for name, some, figures in zip(("ceiling", "floor"), values, (ceilings, floors), strict=True)
    ]


def _entry(name: str, some: Sequence[Found], group: int | None, pages: Path) -> Entry:
    some = sorted(some, key=lambda one: _by_seed(one.report.run.seed))
    page = some[0].folder / "report.html"
    return Entry(
        name=name,
        scores={one.report.run.seed: one.report.unlearned.score.value for one in some},
        intervals={one.report.run.seed: one.report.interval for one in some},
        figures=mean_of_figures([figures_of(one.report) for one in some]),
        group=group,
        link=_link(page, pages),
    )


def _spread(some: Sequence[Found], of_task: Mapping[int | None, Path]) -> Spread | None:
    """How far chance moves the mean score; None where the judged outputs are not there.

    Args:
        some: a submission's reports, one per seed.
        of_task: by seed, a folder with retrained models of the task's recipe. Accuracies are compared with these, also
            those of a submission with its own learning.
    """
    spreads = []
    for one in some:
        folder = one.folder if _by_recipe(one) else of_task.get(one.report.run.seed)
        if folder is None:
            return None
        try:
            places = one.folder / "unlearned.npz", one.folder / "retrained.npz", folder / "retrained.npz"
            unlearned, retrained, accuracy = map(load_outputs, places)
            spreads.append(spread_of(unlearned, retrained, accuracy, value=one.report.unlearned.score.value))
        except (InputError, ValueError):
            return None
    return mean_of(spreads)


def lines(found: Sequence[Found]) -> str:
    """All scores, one JSON object per line, for people's own plots."""
    return "".join(json.dumps(line) + "\n" for line in map(_line, found))


def _line(one: Found) -> Mapping[str, object]:
    report = one.report
    return {
        "task": report.task.name,
        "submission": report.submission.name,
        "sha256": report.submission.sha256,
        "seed": report.run.seed,
        "models": report.run.models,
        "forgotten": report.request.examples,
        "rules": report.rules.version,
        "interval_low": report.interval[0] if report.interval else None,
        "interval_high": report.interval[1] if report.interval else None,
        "ceiling": report.ceiling.value,
        "floor": report.floor.score.value,
        **figures_of(report),
        "folder": str(one.folder),
    }


def table(together: Sequence[Found]) -> str:
    """The scores that can be compared, as CSV."""
    text = io.StringIO()
    rows = [dict(_line(one)) for one in together]
    names = list(dict.fromkeys(name for row in rows for name in row))
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: _no_formula(value) for name, value in row.items()} for row in rows)
    return text.getvalue()


def _no_formula(value: object) -> object:
    """A cell that no spreadsheet computes: the names in it may be a stranger's."""
    return f"'{value}" if isinstance(value, str) and value[:1] in tuple("=+-@\t\r") else value


def write(root: Path, folder: Path) -> list[Path]:
    """Write the pages, one per task, with their tables, and results.jsonl.

    Args:
        root: the folder of all reports.
        folder: where to write.

    Raises:
        InputError: there is no report.
        MachineError: the folder cannot be written.
    """
    found, unreadable = found_below(root)
    contents: dict[str, bytes] = {"results.jsonl": lines(found).encode()}
    pages: list[Path] = []
    names: set[str] = set()
    for task, some in by_task(found).items():
        together, apart = comparable(some)
        name = _file_name(task, names)
        names.add(name)
        unread = [one for one in unreadable if _lies_among(one, some, root)]
        contents[f"{name}.html"] = _page(task, name, together, [*apart, *unread], folder).encode()
        contents[f"{name}.csv"] = table(together).encode()
        contents[f"{name}.json"] = json.dumps([dict(_line(one)) for one in together], indent=2).encode()
        pages.append(folder / f"{name}.html")
    write_together(folder, contents)
    return pages


def _lies_among(unread: Apart, some: Sequence[Found], root: Path) -> bool:
    """Whether what cannot be read lies in the folder of a task, or in that of no task."""
    beside = {one.folder.relative_to(root).parts[:1] for one in some}
    return len(unread.folder.relative_to(root).parts) < 2 or unread.folder.relative_to(root).parts[:1] in beside


def _page(task: str, name: str, together: Sequence[Found], apart: Sequence[Apart], folder: Path) -> str:
    seeds = seeds_of(together)
    models = max((one.report.run.models for one in together), default=0)
    bands = [one.report.ceiling.band for one in together if _by_recipe(one)]
    bands = bands or [one.report.ceiling.band for one in together]
    rows = entries(together, folder)
    lead = ["One dot per seed; each seed has its own original model." if together else "No score can be compared."]
    if any(row.group for row in rows):
        lead.append(GROUPED)
        if any(row.group is None for row in rows if not row.reference):
            lead.append("A submission without a group lacks a seed, or outputs to compare.")
    shown = f"{models} models per pool, {seeds_in_words(seeds)}"
    return ranking_page(
        title=f"Leaderboard: {task}",
        subtitle=shown if together else f"rules version {RULES_VERSION}",
        lead=" ".join(lead),
        entries=rows,
        band=(mean(low for low, _ in bands), mean(high for _, high in bands)) if bands else None,
        notes=notes_on_models(models) if together else [],
        command="make leaderboard",
        downloads=[("CSV", f"{name}.csv"), ("JSON", f"{name}.json")],
        apart=[(one.name, one.reason, _link(one.folder / "report.html", folder)) for one in apart],
    )


def _link(page: Path, folder: Path) -> str | None:
    """How a page in a folder links to another page, if that is there."""
    return link_to(os.path.relpath(page.resolve(), folder.resolve())) if page.exists() else None


def _file_name(task: str, taken: Collection[str]) -> str:
    """A file's name for a task's pages: no part of it can lead elsewhere, and no two tasks share it."""
    name = re.sub(r"[^\w-]+", "-", task).strip("-")[:LONGEST_NAME] or "task"
    return next(one for one in chain([name], (f"{name}-{number}" for number in count(2))) if one not in taken)
