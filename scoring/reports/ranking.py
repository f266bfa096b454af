"""Ranked tables in Markdown, written into a page from the comparisons of several seeds.

A page asks for a table with a comment, and everything up to the closing comment is written again::

    <!-- ranking task=digits models=512 seeds=0,1,2 -->
    <!-- end -->

With ``rows=NAME,NAME`` before ``-->`` the table has only these rows, and fewer columns. If NAME_tuned was compared
too, both share a row, which shows the tuned score first and is ranked by it.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import mean
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from scoring.reports.columns import COLUMNS, Figures, figures_of, shown
from scoring.reports.comparison_record import ComparisonRecord
from scoring.reports.files import folder_of, folder_of_seeds
from scoring.reports.seeds import FILE, SeedsRecord, SeedsRow, row_of
from scoring.reports.tuning import SUFFIX
from starter_kit.errors import InputError, quoted

MARK = re.compile(
    r"(<!-- ranking task=(\S+) models=(\d+) seeds=(\d+(?:,\d+)*)(?: rows=([\w,]+))? -->\n).*?(<!-- end -->)", re.DOTALL
)

FULL = ("retain", "forget", "test", "epsilon", "attack", "population", "u_lira", "klom", "time")
BRIEF = ("retain", "forget", "test")
REFERENCE = ("ceiling", "floor")

Record = TypeVar("Record", bound=BaseModel)


@dataclass(frozen=True)
class Row:
    """A row of the table: a submission, the ceiling or the floor.

    Attributes:
        scores: one per seed.
        figures: means over the seeds.
        summary: of a submission.
    """

    scores: list[float]
    figures: Figures
    summary: SeedsRow | None = None

    @property
    def cells(self) -> list[str]:
        """The score, the scores by seed if there are several, the interval and the group."""
        found = [f"{mean(self.scores):.4f}"]
        if len(self.scores) > 1:
            found.append(" / ".join(f"{score:.4f}" for score in self.scores))
        interval = self.summary.interval if self.summary else None
        found.append(f"{interval[0]:.4f} to {interval[1]:.4f}" if interval else "")
        return [*found, str(self.summary.group or "") if self.summary else ""]


@dataclass(frozen=True)
class Compared:
    """What a table shows.

    Attributes:
        rows: by name. A submission that failed with some seed has none.
        bands: where an exact method scores in about 95% of runs, by seed.
        hosts: the machines that rows were measured on.
    """

    rows: dict[str, Row]
    bands: list[tuple[float, float]]
    hosts: Sequence[Mapping[str, str]]


Source = Callable[[str, Sequence[int], int], Compared]
"""Returns the comparison for a task, seeds and a number of models per pool."""


def with_tables(page: str, reports: Path) -> str:
    """The page with all its tables written again.

    Args:
        page: Markdown text.
        reports: the folder of all reports.

    Raises:
        InputError: a comparison that a table needs does not exist or cannot be read.
    """
    return filled(page, partial(compared_in, reports))


def filled(page: str, source: Source) -> str:
    """The page with all its tables written again, from the comparisons that ``source`` gives."""

    def written(match: re.Match[str]) -> str:
        begin, task, models, seeds, rows, end = match.groups()
        numbers = [int(seed) for seed in seeds.split(",")]
        compared = source(task, numbers, int(models))
        table = _table(compared.rows, len(numbers), rows.split(",") if rows else None)
        option = f"SEED{'S' if len(numbers) > 1 else ''}={seeds}"
        footer = _footer(compared, f"make compare TASK={task} MODELS={models} {option}")
        return f"{begin}\n{table}\n\n{footer}\n\n{end}"

    return MARK.sub(written, page)


def compared_in(reports: Path, task: str, seeds: Sequence[int], models: int) -> Compared:
    """The comparison in a folder of reports.

    Raises:
        InputError: it does not exist for some seed, or cannot be read.
    """
    records = [_read(reports, task, seed, models) for seed in seeds]
    by_seed = [
        {report.submission.name: figures_of(report) for report in one.ranking} | one.reference for one in records
    ]
    bands = [one.ranking[0].ceiling.band for one in records]
    hosts = [report.run.host for one in records for report in one.ranking]
    return Compared(rows_of(by_seed, _summary(reports, records)), bands, hosts)


def _read(reports: Path, task: str, seed: int, models: int) -> ComparisonRecord:
    path = folder_of(reports, task, seed, models, "comparison") / "comparison.json"
    again = f"Run make compare TASK={task} MODELS={models} SEED={seed}"
    found = _valid(ComparisonRecord, path, again)
    if (found.task, found.seed, found.models) != (task, seed, models):
        raise InputError(
            f"{path} is a comparison on {found.task}, seed {found.seed}, {found.models} models. Expected {task}, seed "
            f"{seed}, {models} models. {again}"
        )
    if not found.ranking:
        raise InputError(f"{path}: no submission was scored. {again}")
    return found


def _summary(reports: Path, compared: list[ComparisonRecord]) -> dict[str, SeedsRow]:
    """Each submission's row of the summary over several seeds; for a single seed, made from its comparison."""
    first = compared[0]
    if len(compared) == 1:
        return {report.submission.name: row_of(report, first.groups or {}) for report in first.ranking}
    seeds = tuple(one.seed for one in compared)
    path = folder_of_seeds(reports, first.task, seeds, first.models, "comparison") / FILE
    again = f"Run make compare TASK={first.task} MODELS={first.models} SEEDS={','.join(map(str, seeds))}"
    rows = {row.name: row for row in _valid(SeedsRecord, path, again).rows}
    for place, one in enumerate(compared):
        for report in one.ranking:
            row = rows.get(report.submission.name)
            if row and row.scores[place] != report.unlearned.score.value:
                raise InputError(f"{path} and the comparison of seed {one.seed} are of different runs. {again}")
    return rows


def _valid(kind: type[Record], path: Path, again: str) -> Record:
    """A record that a command has written."""
    try:
        return kind.model_validate_json(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"Cannot read {path}: {error.strerror}. {again}") from error
    except (ValidationError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not a comparison of this version of the kit. {again}") from error


def rows_of(by_seed: Sequence[Mapping[str, Figures]], summary: Mapping[str, SeedsRow]) -> dict[str, Row]:
    """All rows by name. A submission that has no figures with some seed has none.

    Args:
        by_seed: the figures of submissions, ceiling and floor, by name.
        summary: of the submissions, over all seeds.
    """
    found = {}
    for name in set.intersection(*map(set, by_seed)):
        figures = [rows[name] for rows in by_seed]
        found[name] = Row([one["score"] or 0.0 for one in figures], _mean(figures), summary.get(name))
    return found


def _mean(figures: list[Figures]) -> Figures:
    """The means over seeds, of what is known on every seed."""
    known = {name: [one.get(name) for one in figures] for name in figures[0]}
    return {
        name: None if None in values else mean(value for value in values if value is not None)
        for name, values in known.items()
    }


def _table(rows: Mapping[str, Row], seeds: int, chosen: list[str] | None) -> str:
    """The table of the chosen rows, or of all."""
    if missing := [name for name in chosen or () if name not in rows]:
        raise InputError(f"The page asks for a row {quoted(missing[0])}, which was not compared.")
    tuned = {name for name in rows if f"{name}{SUFFIX}" in rows}
    columns = FULL if chosen is None else BRIEF
    score = ["score", *(["by seed"] if seeds > 1 else []), "95% interval", "group"]
    published = [f"published {heading}" for heading in score] if tuned else []
    lines = [["submission", *([f"tuned {heading}" for heading in score] if tuned else score), *published]]
    lines[0] += [COLUMNS[name].heading for name in columns]
    listed = []
    for name, row in rows.items():
        if name.removesuffix(SUFFIX) not in tuned or name in tuned:
            best = rows[f"{name}{SUFFIX}"] if name in tuned else row
            listed.append((mean(best.scores), name, best))
    for _, name, best in sorted(listed, key=lambda one: -one[0]):
        if chosen is not None and name not in chosen:
            continue
        own = rows[name].cells
        first = best.cells if name in tuned or not tuned else [""] * len(own)
        shown_name = f"*{name}*" if name in REFERENCE else name
        figures = [shown(best.figures, column) for column in columns]
        lines.append([shown_name, *first, *(own if tuned else []), *figures])
    written = [f"| {' | '.join(line)} |" for line in lines]
    rule = "|---|" + "--:|" * (len(lines[0]) - 1)
    return "\n".join([written[0], rule, *written[1:]])


def _footer(compared: Compared, command: str) -> str:
    """Which command gives the table, and on which machines."""
    # A dictionary keeps the order, and each kind once.
    hosts = " and ".join(
        dict.fromkeys(
            f"Python {host['python']}, torch {host['torch']}, numpy {host['numpy']}; {host['cpu']} "
            f"({host['cpu_capability']}), {host['device']}"
            for host in compared.hosts
        )
    )
    bands = ", ".join(f"{low:.3f} to {high:.3f}" for low, high in compared.bands)
    means = "All columns are means over the seeds. " if len(compared.bands) > 1 else ""
    return (
        f"`{command}`. {means}No row differs significantly "
        f"from the first of its group. An exact method scores {bands} in about 95% of runs. {hosts}."
    )
