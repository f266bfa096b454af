"""Ranked tables in Markdown, written into a page from the rows that `make methods` has measured.

A page asks for a table with a comment, and everything up to the closing comment is written again::

    <!-- ranking task=digits models=512 seeds=0,1,2 -->
    <!-- end -->

With ``rows=NAME,NAME`` before ``-->`` the table has only these rows, and fewer columns. NAME and NAME_tuned share a
row, which is ranked by the tuned score and also has the published one.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import mean

from scoring.reports.columns import COLUMNS, Figures, mean_of_figures, shown
from scoring.reports.seeds import SeedsRow
from scoring.reports.tuning import SUFFIX

MARK = re.compile(
    r"(<!-- ranking task=(\S+) models=(\d+) seeds=(\d+(?:,\d+)*)(?: rows=([\w,]+))? -->\n).*?(<!-- end -->)", re.DOTALL
)

FULL = ("retain", "forget", "test", "epsilon", "attack", "population", "u_lira", "klom", "time")
BRIEF = ("retain", "forget", "test")
REFERENCE = ("ceiling", "floor")


@dataclass(frozen=True)
class Row:
    """A row of the table: a submission, the ceiling or the floor.

    Attributes:
        scores: one per seed; None for a seed that it was not measured on.
        figures: means over its seeds.
        summary: of a submission.
    """

    scores: Sequence[float | None]
    figures: Figures
    summary: SeedsRow | None = None

    @property
    def score(self) -> float:
        """The mean over its seeds."""
        return mean(score for score in self.scores if score is not None)

    @property
    def complete(self) -> bool:
        """Whether it was measured on all seeds."""
        return None not in self.scores

    @property
    def cells(self) -> dict[str, str]:
        """What the table says of the score, by heading."""
        interval = self.summary.interval if self.summary else None
        return {
            "score": f"{self.score:.4f}",
            "by seed": " / ".join("-" if score is None else f"{score:.4f}" for score in self.scores),
            "95% interval": f"{interval[0]:.4f} to {interval[1]:.4f}" if interval else "",
            "group": str(self.summary.group or "") if self.summary else "",
        }


@dataclass(frozen=True)
class Compared:
    """What a table shows.

    Attributes:
        rows: by name.
        bands: where an exact method scores in about 95% of runs, by seed.
        hosts: the machines that rows were measured on.
        left_out: the submissions that failed, or do not run on this task.
    """

    rows: dict[str, Row]
    bands: list[tuple[float, float]]
    hosts: Sequence[Mapping[str, str]]
    left_out: Sequence[str] = ()


Source = Callable[[str, Sequence[int], int], Compared]
"""Returns the comparison for a task, seeds and a number of models per pool."""


def filled(page: str, source: Source) -> str:
    """The page with all its tables written again, from the comparisons that ``source`` gives.

    Raises:
        KeyError: the page asks for a row that was not measured.
    """

    def written(match: re.Match[str]) -> str:
        begin, task, models, seeds, rows, end = match.groups()
        numbers = [int(seed) for seed in seeds.split(",")]
        compared = source(task, numbers, int(models))
        chosen = rows.split(",") if rows else None
        return f"{begin}\n{_table(compared.rows, len(numbers), chosen)}\n\n{_footer(compared, chosen)}\n\n{end}"

    return MARK.sub(written, page)


def rows_of(by_seed: Sequence[Mapping[str, Figures]], summary: Mapping[str, SeedsRow]) -> dict[str, Row]:
    """A row for each name in the summary, and for the ceiling and the floor.

    Args:
        by_seed: the figures of submissions, ceiling and floor, by name; not all submissions are measured on all seeds.
        summary: of the submissions, over their seeds.
    """
    found = {}
    for name in (*summary, *REFERENCE):
        figures = [rows.get(name) for rows in by_seed]
        known = [one for one in figures if one]
        scores = [one["score"] or 0.0 if one else None for one in figures]
        found[name] = Row(scores, mean_of_figures(known), summary.get(name))
    return found


def _table(rows: Mapping[str, Row], seeds: int, chosen: list[str] | None) -> str:
    """The table of the chosen rows, or of all."""
    names = chosen or [name for name in rows if name.removesuffix(SUFFIX) not in rows or not name.endswith(SUFFIX)]
    best = {name: rows.get(f"{name}{SUFFIX}", rows[name]) for name in names}
    of_score = ["score", "95% interval"] if chosen else ["score", "by seed", "95% interval", "group"]
    if seeds == 1 and not chosen:
        of_score.remove("by seed")
    has_tuned = any(name.endswith(SUFFIX) for name in rows)
    of_published = (["score"] if chosen else ["score", "95% interval"]) if has_tuned else []
    columns = BRIEF if chosen else FULL

    published = [f"published {heading}" for heading in of_published]
    lines = [["submission", *of_score, *published, *(COLUMNS[one].heading for one in columns)]]
    for name in sorted(names, key=lambda name: -best[name].score):
        own = rows[name].cells if f"{name}{SUFFIX}" in rows else {}
        lines.append(
            [
                f"*{name}*" if name in REFERENCE else name,
                *(best[name].cells[heading] for heading in of_score),
                *(own.get(heading, "") for heading in of_published),
                *(shown(best[name].figures, column) for column in columns),
            ]
        )
    written = [f"| {' | '.join(line)} |" for line in lines]
    return "\n".join([written[0], "|---|" + "--:|" * (len(lines[0]) - 1), *written[1:]])


def _footer(compared: Compared, chosen: list[str] | None) -> str:
    """How to read the table, what gives it, and on which machines."""
    # A dictionary keeps the order, and each kind once.
    hosts = " and ".join(
        dict.fromkeys(
            f"Python {host['python']}, torch {host['torch']}, numpy {host['numpy']}; {host['cpu']} "
            f"({host['cpu_capability']}), {host['device']}"
            for host in compared.hosts
        )
    )
    said = ["`make methods`."]
    if len(compared.bands) > 1:
        said.append("All columns are means over the seeds.")
    if not all(row.complete for row in compared.rows.values()):
        said.append("Published constants that exceed the time budget are measured on the first seed only.")
    if any(name.endswith(SUFFIX) for name in compared.rows):
        said.append(
            "Rows with a published score show tuned constants in all other columns; the others show published "
            "constants only."
        )
    if not chosen:
        said.append("No row differs significantly from the first of its group.")
        if compared.left_out:
            said.append(f"Left out, because they failed or do not run on this task: {', '.join(compared.left_out)}.")
    bands = ", ".join(f"{low:.3f} to {high:.3f}" for low, high in compared.bands)
    return " ".join([*said, f"An exact method scores {bands} in about 95% of runs.", f"{hosts}."])
