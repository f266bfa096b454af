"""Several submissions on a page: their scores on one axis, between floor and ceiling."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import mean

from scoring.reports.columns import COLUMNS, Figures, figures_of, shown
from scoring.reports.comparison_record import ComparisonRecord
from scoring.reports.page.drawing import Axis, ticks
from scoring.reports.page.render import link_to, render
from scoring.reports.record import seeds_in_words

GROUPED = "Scores in a group do not differ significantly from the best of that group (95%, for all pairs jointly)."
"""How to read groups."""

WIDTH, HEIGHT = 300, 26
"""Pixels of a row's chart, the height for a single seed."""

PER_SEED = 12
"""Pixels that each further seed adds."""

HIDDEN = ("u_lira_tpr", "klom_test", "utility")
"""Columns that a reader has to choose to see them. The others already fill a wide screen."""


@dataclass(frozen=True)
class Entry:
    """A submission, or the ceiling or the floor.

    Attributes:
        name: the row's.
        scores: by seed.
        intervals: of each score; None where there is none.
        figures: other columns, means over the seeds.
        group: from 1 for the best; None if unknown.
        link: to its report.
        reference: whether it is the ceiling or the floor.
    """

    name: str
    scores: Mapping[int | None, float]
    intervals: Mapping[int | None, tuple[float, float] | None]
    figures: Figures
    group: int | None = None
    link: str | None = None
    reference: bool = False

    @property
    def score(self) -> float:
        """The mean over seeds."""
        return mean(self.scores.values())


@dataclass(frozen=True)
class Dot:
    """A score in pixels, with the ends of its interval."""

    x: float
    y: float
    interval: tuple[float, float] | None


@dataclass(frozen=True)
class Row:
    """An entry as the page shows it."""

    name: str
    score: float
    group: int | None
    link: str | None
    reference: bool
    figures: Figures
    cells: dict[str, str]
    dots: list[Dot]
    height: int
    description: str


def ranking_page(
    title: str,
    subtitle: str,
    lead: str,
    entries: Sequence[Entry],
    band: tuple[float, float] | None,
    command: str,
    notes: Sequence[str] = (),
    downloads: Sequence[tuple[str, str]] = (),
    apart: Sequence[tuple[str, str, str | None]] = (),
) -> str:
    """The page.

    Args:
        title, subtitle, lead: what stands above.
        entries: in any order.
        band: where exact methods score; None without entries.
        command: how to make it again.
        notes: what a reader must know.
        downloads: names and links of files.
        apart: names of what cannot be compared, with the reason and a link.
    """
    highest = max([band[1] if band else 1.0, *(_highest(entry) for entry in entries)])
    x = Axis(0, highest * 1.05 or 1.0, 6, WIDTH - 6)
    columns = [name for name in COLUMNS if any(entry.figures.get(name) is not None for entry in entries)]
    rows = [_row(entry, x, columns) for entry in sorted(entries, key=lambda entry: -entry.score)]
    return render(
        "ranking.html.jinja",
        title=title,
        subtitle=subtitle,
        lead=lead,
        rows=rows,
        grouped=any(row.group for row in rows),
        headings=[(name, COLUMNS[name].heading) for name in columns],
        hidden=HIDDEN,
        columns=[COLUMNS[name] for name in columns],
        intervals=any(dot.interval for row in rows for dot in row.dots),
        band=(x.at(band[0]), x.at(band[1])) if band else (0, 0),
        axis=[(x.at(tick), f"{tick:g}") for tick in ticks(0, x.high, 5)],
        width=WIDTH,
        command=command,
        notes=notes,
        downloads=downloads,
        apart=apart,
    )


def comparison_page(record: ComparisonRecord, notes: Sequence[str]) -> str:
    """The page of a comparison on one seed."""
    groups, unranked = record.groups or {}, (*record.failed, *record.unsuited)
    entries = [
        Entry(
            name=(name := report.submission.name),
            scores={record.seed: report.unlearned.score.value},
            intervals={record.seed: report.interval},
            figures=figures_of(report),
            group=groups.get(name),
            link=link_to(f"{name}/report.html"),
        )
        for report in record.ranking
    ]
    entries += [
        Entry(name, {record.seed: figures["score"] or 0.0}, {}, figures, reference=True)
        for name, figures in record.reference.items()
    ]
    return ranking_page(
        title=f"Submissions on {record.title}",
        subtitle=f"seed {record.seed}, {record.models} models per pool",
        lead=GROUPED if groups else "",
        entries=entries,
        band=record.band,
        command=record.command,
        notes=notes,
        apart=[(one.name, one.reason, None) for one in unranked],
    )


def _highest(entry: Entry) -> float:
    return max([*entry.scores.values(), *(bounds[1] for bounds in entry.intervals.values() if bounds)])


def _row(entry: Entry, x: Axis, columns: Sequence[str]) -> Row:
    dots = []
    for place, (seed, score) in enumerate(entry.scores.items()):
        bounds = entry.intervals.get(seed)
        y = HEIGHT / 2 + place * PER_SEED
        dots.append(Dot(x.at(score), y, (x.at(bounds[0]), x.at(bounds[1])) if bounds else None))
    scores = ", ".join(f"{seeds_in_words([seed])}: {score:.4f}" for seed, score in entry.scores.items())
    return Row(
        name=entry.name,
        score=entry.score,
        group=entry.group,
        link=entry.link,
        reference=entry.reference,
        figures=entry.figures,
        cells={name: shown(entry.figures, name) for name in columns},
        dots=dots,
        height=HEIGHT + (len(dots) - 1) * PER_SEED,
        description=scores,
    )
