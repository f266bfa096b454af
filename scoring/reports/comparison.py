"""A comparison of submissions: a ranked table, comparison.json, one picture, and a report per submission."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field
from rich.table import Table
from rich.text import Text

from scoring.reports import files
from scoring.reports.pictures import picture_of_ranking
from scoring.reports.place import write_together
from scoring.reports.record import Accuracies, Report
from scoring.reports.recording import accuracies, floor_of, pool_of, record_of
from scoring.reports.time import ratio_of
from scoring.run import Comparison
from starter_kit.errors import KitError, quoted

COMPARISON_SCHEMA: Literal[5] = 5

WIDEST_NAME = 24
"""What the other columns of the table leave of 80 characters."""


class Failed(BaseModel):
    """A submission that failed, and why."""

    name: str
    reason: str


class ComparisonRecord(BaseModel):
    """The content of comparison.json."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_version: Literal[5] = COMPARISON_SCHEMA
    task: str
    seed: int
    models: int
    ranking: list[Report]
    attack_accuracy: dict[str, float | None]
    failed: list[Failed]
    unsuited: list[Failed] = Field(description="Submissions that say themselves that they do not work on this task.")


def record_of_comparison(compared: Comparison) -> ComparisonRecord:
    """The record of a comparison."""
    setting = compared.reference.pools.setting
    return ComparisonRecord(
        task=setting.task.name,
        seed=setting.seed,
        models=len(compared.reference.retrained),
        ranking=[record_of(result) for result in compared.ranked],
        attack_accuracy=compared.attacked,
        failed=_listed(compared.failed),
        unsuited=_listed(compared.unsuited),
    )


def _listed(errors: Mapping[Path, KitError]) -> list[Failed]:
    return [Failed(name=path.stem, reason=str(error)) for path, error in errors.items()]


def table(compared: Comparison, record: ComparisonRecord) -> Table:
    """The ranking, with the ceiling and the floor in their places and failed submissions at the end."""
    other_judge, another = _another_judge(record)
    reference = compared.reference
    ceiling, floor = reference.ceiling, floor_of(reference.floor)
    lines: list[tuple[str, float, list[str]]] = []

    def add(name: str, score: float, quality: float, accuracy: Accuracies, epsilon: float, time: str) -> None:
        figures = [score, quality, accuracy.retain, accuracy.forget, accuracy.test]
        judged = another.get(name)
        shown = "" if judged is None else f"{judged:.3f}"
        lines.append((name, score, [*(f"{figure:.4f}" for figure in figures), f"{epsilon:.2f}", shown, time]))

    for result in compared.ranked:
        pool = pool_of(result.unlearned)
        ratio = ratio_of(result.unlearned.outputs)
        time = f"{ratio.value:.2f}" if ratio else ""
        score = pool.score
        add(result.submission.name, score.value, score.forgetting_quality, pool.accuracy, pool.epsilon.median, time)
    median = float(np.median(ceiling.epsilon))
    add("ceiling", ceiling.value, ceiling.forgetting_quality, accuracies(reference.retrained), median, "")
    add("floor", floor.score.value, floor.score.forgetting_quality, floor.accuracy, floor.epsilon_median, "")
    lines.sort(key=lambda line: -line[1])

    # No frame, little padding and long names on two lines: all columns fit into 80 characters.
    table = Table(
        title=Text(f"{reference.pools.task.title}, {len(reference.retrained)} models per pool"),
        box=None,
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )
    low, high = ceiling.band
    table.caption = (
        f"Retain, forget and test are accuracies.\n"
        f"An exact method scores {low:.3f} to {high:.3f} in about 95 % of runs."
    )
    table.add_column("submission", no_wrap=True)
    for heading in ("score", "forgetting\nquality", "retain", "forget", "test", "median\nepsilon", other_judge, "time"):
        table.add_column(heading, justify="right")
    for name, _, cells in lines:
        table.add_row(_broken(name), *cells, style="dim" if name in ("ceiling", "floor") else "")
    for path in compared.failed:
        table.add_row(_broken(path.stem), "failed", style="red")
    return table


def _another_judge(record: ComparisonRecord) -> tuple[str, Mapping[str, float | None]]:
    """The heading and the figures, by row, of a second measure: relearning, else TOFU's test, else the attack."""
    reports = {report.submission.name: report for report in record.ranking}
    first = next(iter(reports.values()), None)
    if first and first.relearning:
        again = {name: one.relearning.unlearned[-1] for name, one in reports.items() if one.relearning}
        known = {"ceiling": first.relearning.retrained[-1], "floor": first.relearning.original[-1]}
        return "after re-\nlearning", again | known
    if first and first.text and first.text.forget_quality is not None:
        p_values = {name: one.text.forget_quality for name, one in reports.items() if one.text}
        return "KS p", p_values | {"ceiling": first.text.retrained_quality}
    return "attack", record.attack_accuracy


def _broken(name: str) -> Text:
    """A name in lines of at most ``WIDEST_NAME`` characters, broken after underscores where possible."""
    most = WIDEST_NAME
    lines = re.findall(f".{{1,{most}}}$|.{{1,{most - 1}}}_|.{{{most}}}", quoted(name))
    return Text("\n".join(lines))


def files_for(names: Iterable[str]) -> list[str]:
    """The files of a comparison of these submissions, by their paths in its folder."""
    return ["comparison.json", "comparison.png", *(f"{name}/{file}" for name in names for file in files.FILES)]


def write(compared: Comparison, record: ComparisonRecord, folder: Path) -> None:
    """Put comparison.json and comparison.png into ``folder`` and a report per submission below it, all or none.

    Raises:
        MachineError: the folder cannot be created or written.
    """
    contents = {
        "comparison.json": record.model_dump_json(indent=2).encode(),
        "comparison.png": picture_of_ranking(compared.ranked, compared.reference),
    }
    for result, report in zip(compared.ranked, record.ranking, strict=True):
        name = result.submission.name
        contents |= {f"{name}/{file}": content for file, content in files.contents(result, report).items()}
    write_together(folder, contents)
