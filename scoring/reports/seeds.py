"""Several seeds: an original and pools for each, and the mean over them."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from statistics import mean, stdev
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field
from rich.table import Table
from rich.text import Text

from scoring.judging.groups import groups
from scoring.judging.interval import Spread, mean_of
from scoring.reports.place import write_together
from scoring.reports.recording import interval_of
from scoring.run import Reference, Result
from starter_kit.errors import quoted

FILE = "seeds.json"
SEEDS_SCHEMA: Literal[1] = 1


class SeedsRow(BaseModel):
    """A submission's scores."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    scores: list[float] = Field(description="One per seed.")
    intervals: list[tuple[float, float] | None] = Field(description="Of each score, at 95% confidence.")
    mean: float
    deviation: float | None = Field(description="Standard deviation between seeds; null for a single one.")
    interval: tuple[float, float] | None = Field(description="Of the mean, over other pools from these originals.")
    group: int | None = Field(description="From 1 for the best. No row differs significantly from its group's first.")


class SeedsRecord(BaseModel):
    """The content of seeds.json."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_version: Literal[1] = SEEDS_SCHEMA
    task: str
    models: int
    seeds: list[int]
    ceilings: list[float] = Field(description="One per seed.")
    rows: list[SeedsRow] = Field(description="The best mean first.")
    left_out: list[str] = Field(description="Submissions that lack a score on at least one seed.")


def record_of_seeds(
    runs: Sequence[Sequence[Result]], references: Sequence[Reference], failed: Collection[str] = ()
) -> SeedsRecord:
    """The record of the same submissions on at least two seeds. One that failed on a seed is left out.

    Args:
        runs: the results by seed.
        references: what they were compared with, by seed; of several learners, that of the task's recipe.
        failed: the names of submissions that failed on a seed.
    """
    by_name = [{result.submission.name: result for result in results} for results in runs]
    names = set.intersection(*map(set, by_name))
    scored = {
        name: [(one.unlearned.score.value, one.spread) for one in (of_seed[name] for of_seed in by_name)]
        for name in names
    }
    return SeedsRecord(
        task=references[0].pools.task.name,
        models=len(references[0].retrained),
        seeds=[one.pools.setting.seed for one in references],
        ceilings=[one.ceiling.value for one in references],
        rows=summary_of(scored),
        left_out=sorted(set(failed) | set.union(*map(set, by_name)) - names),
    )


def summary_of(scored: Mapping[str, Sequence[tuple[float, Spread | None]]]) -> list[SeedsRow]:
    """A row for each submission, the best mean first, with groups if there are intervals for all.

    Args:
        scored: by submission, its score on each seed and how far chance moves it.
    """
    spreads = {
        name: mean_of([spread for _, spread in of_name if spread])
        for name, of_name in scored.items()
        if all(spread for _, spread in of_name)
    }
    group = groups(spreads) if len(spreads) == len(scored) > 1 else {}
    rows = []
    for name, of_name in scored.items():
        scores = [score for score, _ in of_name]
        rows.append(
            SeedsRow(
                name=name,
                scores=scores,
                intervals=[interval_of(spread) for _, spread in of_name],
                mean=mean(scores),
                deviation=stdev(scores) if len(scores) > 1 else None,
                interval=interval_of(spreads.get(name)),
                group=group.get(name),
            )
        )
    return sorted(rows, key=lambda row: -row.mean)


def table(record: SeedsRecord) -> Table:
    """The scores of each seed with their mean."""
    seeds = ", ".join(map(str, record.seeds))
    table = Table(title=Text(f"{quoted(record.task)}, seeds {seeds}, {record.models} models per pool"), box=None)
    ceilings = " / ".join(f"{value:.4f}" for value in record.ceilings)
    table.caption = (
        f"Ceilings: {ceilings}.\n"
        "±: standard deviation over seeds (original models).\n"
        "From, to: 95% confidence interval of the mean, for these originals."
    )
    if record.left_out:
        table.caption += f"\nLeft out, without a score on at least one seed: {', '.join(map(quoted, record.left_out))}."
    grouped = any(row.group for row in record.rows)
    if grouped:
        table.add_column("")
    table.add_column("submission")
    for heading in ("mean", "±", "from", "to", *(f"seed {seed}" for seed in record.seeds)):
        table.add_column(heading, justify="right")
    for row in record.rows:
        figures = [row.mean, row.deviation, *(row.interval or (None, None)), *row.scores]
        cells = ["" if figure is None else f"{figure:.4f}" for figure in figures]
        table.add_row(*([str(row.group)] if grouped else []), Text(quoted(row.name)), *cells)
    return table


def write(record: SeedsRecord, folder: Path) -> None:
    """Put seeds.json into ``folder``.

    Raises:
        MachineError: the folder cannot be created or written.
    """
    write_together(folder, {FILE: record.model_dump_json(indent=2).encode()})
