"""A comparison of submissions: a ranked table, comparison.json, one picture, and a report per submission."""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from rich.table import Table
from rich.text import Text

from scoring.compare import Comparison
from scoring.reports import files
from scoring.reports.columns import COLUMNS, figures_of, reference_rows, shown, usual
from scoring.reports.comparison_record import ComparisonRecord, Failed
from scoring.reports.notes import notes_on_comparison
from scoring.reports.page.ranking import comparison_page
from scoring.reports.pictures import picture_of_ranking
from scoring.reports.place import write_together
from scoring.reports.recording import record_of
from scoring.reports.reproduce import compare_again
from starter_kit.errors import KitError, quoted

WIDEST_NAME = 22
"""What the other columns of the table leave of 80 characters."""


def record_of_comparison(compared: Comparison) -> ComparisonRecord:
    """The record of a comparison."""
    setting = compared.reference.pools.setting
    reports = [record_of(result) for result in compared.ranked]
    return ComparisonRecord(
        task=setting.task.name,
        title=setting.task.title,
        seed=setting.seed,
        models=len(compared.reference.retrained),
        command=compare_again(compared),
        ranking=reports,
        groups=compared.groups,
        band=compared.reference.ceiling.band,
        reference=reference_rows(compared.reference, compared.judged, reports),
        failed=_listed(compared.failed),
        unsuited=_listed(compared.unsuited),
    )


def _listed(errors: Mapping[Path, KitError]) -> list[Failed]:
    return [Failed(name=path.stem, reason=str(error).replace(str(path), path.name)) for path, error in errors.items()]


def table(compared: Comparison, record: ComparisonRecord, columns: Sequence[str] = ()) -> Table:
    """The ranking, with the ceiling and the floor in their places and failed submissions at the end.

    Args:
        compared: the comparison.
        record: its record.
        columns: names of ``COLUMNS``; without any, those that a terminal has room for.
    """
    reference, reports = compared.reference, {report.submission.name: report for report in record.ranking}
    columns = columns or usual(record.ranking)
    groups = record.groups or {}
    # No frame, little padding and long names on two lines: all columns fit into 80 characters.
    table = Table(
        title=Text(f"{reference.pools.task.title}, {len(reference.retrained)} models per pool"),
        box=None,
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )
    table.caption = _caption(compared)
    if groups:
        table.add_column("")
    table.add_column("submission", no_wrap=True)
    headings = [COLUMNS[name].heading.replace(" ", "\n") for name in columns]
    for heading in ("score", *(("95%\nfrom", "\nto") if groups else ()), *headings):
        table.add_column(heading, justify="right")

    rows = {name: figures_of(report) for name, report in reports.items()} | record.reference
    for name in sorted(rows, key=lambda name: -(rows[name]["score"] or 0.0)):
        cells = [_broken(name), Text(f"{rows[name]['score']:.4f}")]
        if groups:
            bounds = reports[name].interval if name in reports else None
            cells = [Text(str(groups.get(name, ""))), *cells]
            cells += [Text(f"{bound:.4f}") for bound in bounds] if bounds else [Text(), Text()]
        cells += [Text(shown(rows[name], column)) for column in columns]
        table.add_row(*cells, style="" if name in reports else "dim")
    for path in compared.failed:
        table.add_row(*([""] if groups else []), _broken(path.stem), "failed", style="red")
    return table


def _caption(compared: Comparison) -> str:
    """How to read the table."""
    low, high = compared.reference.ceiling.band
    lines = [f"An exact method scores {low:.3f} to {high:.3f} in about 95% of runs."]
    if compared.groups:
        lines.insert(0, "Rows with the same number do not differ significantly from the first of them (95%).")
    return "\n".join(lines)


def _broken(name: str) -> Text:
    """A name in lines of at most ``WIDEST_NAME`` characters, broken after underscores where possible."""
    most = WIDEST_NAME
    lines = re.findall(f".{{1,{most}}}$|.{{1,{most - 1}}}_|.{{{most}}}", quoted(name))
    return Text("\n".join(lines))


def files_for(names: Iterable[str]) -> list[str]:
    """The files of a comparison of these submissions, by their paths in its folder."""
    return [
        "comparison.json",
        "comparison.html",
        "comparison.png",
        *(f"{name}/{file}" for name in names for file in files.FILES),
    ]


def write(compared: Comparison, record: ComparisonRecord, folder: Path) -> None:
    """Put a comparison's record, page and picture into ``folder``, and a report per submission below it, all or none.

    Raises:
        MachineError: the folder cannot be created or written.
    """
    contents = {
        "comparison.json": record.model_dump_json(indent=2).encode(),
        "comparison.html": comparison_page(record, notes_on_comparison(compared)).encode(),
        "comparison.png": picture_of_ranking(compared.ranked, compared.reference),
    }
    for result, report in zip(compared.ranked, record.ranking, strict=True):
        name = result.submission.name
        contents |= {f"{name}/{file}": content for file, content in files.contents(result, report).items()}
    write_together(folder, contents)
