"""Ranked tables in Markdown, written into a page from the comparisons of several seeds.

A page asks for a table with a comment, and everything up to the closing comment is written again::

    <!-- ranking task=digits models=512 seeds=0,1,2 -->
    <!-- end -->

With ``rows=NAME,NAME`` before the arrow the table has only these rows, and fewer columns.
"""

import re
from pathlib import Path
from statistics import mean

from pydantic import ValidationError

from scoring.reports.comparison import ComparisonRecord
from scoring.reports.files import folder_of
from scoring.reports.record import Accuracies
from starter_kit.errors import InputError

MARK = re.compile(
    r"(<!-- ranking task=(\S+) models=(\d+) seeds=([\d,]+)(?: rows=([\w,]+))? -->\n).*?(<!-- end -->)", re.DOTALL
)

COLUMNS = ("forgetting quality", "retain", "forget", "test", "median epsilon", "attack")
BRIEF = ("retain", "forget", "test")


def with_tables(page: str, reports: Path) -> str:
    """The page with all its tables written again.

    Args:
        page: Markdown text.
        reports: the folder of all reports.

    Raises:
        InputError: a comparison that a table needs does not exist or cannot be read.
    """

    def written(match: re.Match[str]) -> str:
        begin, task, models, seeds, rows, end = match.groups()
        records = [_read(reports, task, int(seed), int(models)) for seed in seeds.split(",")]
        return f"{begin}\n{_table(records, rows.split(',') if rows else None)}\n\n{_footer(records)}\n\n{end}"

    return MARK.sub(written, page)


def _read(reports: Path, task: str, seed: int, models: int) -> ComparisonRecord:
    path = folder_of(reports, task, seed, models, "comparison") / "comparison.json"
    again = f"Run make compare TASK={task} MODELS={models} SEED={seed}"
    try:
        return ComparisonRecord.model_validate_json(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"Cannot read {path}: {error.strerror}. {again}") from error
    except ValidationError as error:
        raise InputError(f"{path} is not a comparison of this version of the kit. {again}") from error


def _table(records: list[ComparisonRecord], rows: list[str] | None) -> str:
    """One row per submission in the order of its mean score; columns other than the scores are those of one seed."""
    first = records[0]
    scores = [_scores(record) for record in records]
    cells = _cells(first)
    # A submission that failed with some seed has no mean.
    names = sorted(set.intersection(*map(set, scores)), key=lambda name: -mean(one[name] for one in scores))
    columns = COLUMNS if rows is None else BRIEF
    several = len(records) > 1
    lines = [["submission", *(f"score, seed {one.seed}" if several else "score" for one in records), *columns]]
    for name in names:
        if rows is None or name in rows:
            shown = f"*{name}*" if name in ("ceiling", "floor") else name
            found = [cells[name][COLUMNS.index(column)] for column in columns]
            lines.append([shown, *(f"{one[name]:.4f}" for one in scores), *found])
    written = [f"| {' | '.join(line)} |" for line in lines]
    rule = "|---|" + "--:|" * (len(lines[0]) - 1)
    return "\n".join([written[0], rule, *written[1:]])


def _scores(record: ComparisonRecord) -> dict[str, float]:
    """The score of each row."""
    one = record.ranking[0]
    found = {report.submission.name: report.unlearned.score.value for report in record.ranking}
    return found | {"ceiling": one.ceiling.value, "floor": one.floor.score.value}


def _cells(record: ComparisonRecord) -> dict[str, list[str]]:
    """The other columns of each row, in the order of ``COLUMNS``."""
    found: dict[str, list[str]] = {}
    one = record.ranking[0]

    def add(name: str, quality: float, accuracy: Accuracies, epsilon: float) -> None:
        figures = [quality, accuracy.retain, accuracy.forget, accuracy.test]
        found[name] = [*(f"{figure:.4f}" for figure in figures), f"{epsilon:.2f}"]

    for report in record.ranking:
        pool = report.unlearned
        add(report.submission.name, pool.score.forgetting_quality, pool.accuracy, pool.epsilon.median)
    add("ceiling", one.ceiling.forgetting_quality, one.retrained.accuracy, one.ceiling.epsilon_median)
    add("floor", one.floor.score.forgetting_quality, one.floor.accuracy, one.floor.epsilon_median)
    for name, cells in found.items():
        attack = record.attack_accuracy.get(name)
        cells.append("" if attack is None else f"{attack:.3f}")
    return found


def _footer(records: list[ComparisonRecord]) -> str:
    """Which command gave the table, and on which machine."""
    first = records[0]
    host = first.ranking[0].run.host
    commands = " and ".join(f"`SEED={record.seed}`" for record in records)
    bands = ", ".join(
        f"{low:.3f} to {high:.3f}" for low, high in (record.ranking[0].ceiling.band for record in records)
    )
    others = f"Columns other than the scores are of seed {first.seed}. " if len(records) > 1 else ""
    return (
        f"`make compare TASK={first.task} MODELS={first.models}` with {commands}. {others}An exact method scores "
        f"{bands} in about 95 % of runs. Python {host['python']}, torch {host['torch']}, numpy {host['numpy']}; "
        f"{host['cpu']} ({host['cpu_capability']}), {host['device']}."
    )
