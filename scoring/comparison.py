"""Several submissions held against the same pools: a ranked table, comparison.json, one picture."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.table import Table

from scoring import report, run
from scoring.errors import InputError, KitError
from scoring.membership import attack_accuracy
from scoring.pictures import picture_of_ranking
from scoring.pools import Pools
from scoring.run import Reference, Result
from scoring.store import write_atomically
from scoring.submission import read

COMPARISON_SCHEMA = 2

REFERENCE_ROWS = ("ceiling", "floor")

WIDEST_NAME = 24
"""What the other columns of the table leave of 80 characters."""


@dataclass(frozen=True, eq=False)
class Comparison:
    """What came of several submissions.

    Attributes:
        reference: the pools that all are held against.
        ranked: the results, best score first.
        failed: what went wrong with the others, by their paths.
        attacked: how often the starting kit's membership attack is right, by submission, "ceiling" and "floor"; None
            where there are too few examples for it.
    """

    reference: Reference
    ranked: list[Result]
    failed: dict[Path, KitError]
    attacked: dict[str, float | None]


def compare(paths: list[Path], pools: Pools, models: int) -> Comparison:
    """Judge the submissions at ``paths`` one after the other; one that fails does not stop the others.

    Raises:
        SubmissionError: there is no file at one of the paths.
        InputError: two files of one name, or one with the name of a reference row: they could not be told apart.
        MachineError: the pools that they are held against could not be made.
    """
    paths = _different_names(paths)
    for path in paths:
        if not path.is_file():
            read(path)  # It says what may have been meant, before hours of work.
    reference = run.prepare(pools, pools.original(), models)
    results: list[Result] = []
    failed: dict[Path, KitError] = {}
    for path in paths:
        try:
            results.append(run.judge(read(path), reference))
        except KitError as error:
            failed[path] = error
    ranked = sorted(results, key=lambda result: -result.unlearned.score.value)
    judged = {result.submission.name: result.unlearned for result in ranked}
    judged |= dict(zip(REFERENCE_ROWS, (reference.ceiling, reference.floor), strict=True))
    attacked = {name: attack_accuracy(pool.outputs) for name, pool in judged.items()}
    return Comparison(reference, ranked, failed, attacked)


def _different_names(paths: list[Path]) -> list[Path]:
    """The paths without repetitions, if no two rows of the table will have one name."""
    files = {path.resolve(): path for path in paths}
    by_name: dict[str, Path] = {}
    for path in files.values():
        if path.stem in REFERENCE_ROWS:
            raise InputError(f"{path} has the name of a row that is always in the table. Rename it to compare it.")
        if path.stem in by_name:
            raise InputError(f"{by_name[path.stem]} and {path} have one name. Rename one of them to compare them.")
        by_name[path.stem] = path
    return list(files.values())


def notes(compared: Comparison) -> list[str]:
    """What a reader of the table has to know, a sentence each."""
    found = [
        f"{result.submission.name}: {note}" for result in compared.ranked for note in report.notes_on_answers(result)
    ]
    slow = [result.submission.name for result in compared.ranked if report.over_budget(result)]
    if slow:
        allowed = f"{report.TIME_BUDGET} of the time of retraining in the competition"
        found.append(f"Over the time budget, {allowed}: {', '.join(slow)}.")
    return found


def table(compared: Comparison) -> Table:
    """The ranking, with the ceiling and the floor at their places and the failed ones at the end."""
    reference = compared.reference
    lines: list[tuple[str, dict[str, float], str]] = [
        (result.submission.name, report.figures(result.unlearned), f"{report.time_ratio(result):.2f}")
        for result in compared.ranked
    ]
    lines += [
        ("ceiling", report.figures(reference.ceiling), ""),
        ("floor", report.figures(reference.floor), ""),
    ]
    lines.sort(key=lambda line: -line[1]["score"])

    # No frame, little padding and long names on two lines: all columns fit into 80 characters.
    table = Table(
        title=f"{reference.pools.task.name}, {len(reference.retrained)} models a pool",
        box=None,
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )
    table.add_column("submission", no_wrap=True)
    for heading in ("score", "forget.\nquality", "retain", "forget", "test", "median\nepsilon", "attack", "time"):
        table.add_column(heading, justify="right")
    for name, figures, time in lines:
        columns = ("score", "forgetting_quality", "retain_accuracy", "forget_accuracy", "test_accuracy")
        cells = [f"{figures[column]:.4f}" for column in columns]
        attacked = compared.attacked[name]
        cells += [f"{figures['epsilon_median']:.2f}", "" if attacked is None else f"{attacked:.3f}", time]
        table.add_row(_broken(name), *cells, style="" if time else "dim")
    for path in compared.failed:
        table.add_row(_broken(path.stem), "failed", style="red")
    return table


def _broken(name: str) -> str:
    """A name in lines of at most ``WIDEST_NAME`` characters, broken after underscores as long as there are any."""
    most = WIDEST_NAME
    return "\n".join(re.findall(f".{{1,{most}}}$|.{{1,{most - 1}}}_|.{{{most}}}", name))


def as_dict(compared: Comparison) -> dict[str, Any]:
    """The content of comparison.json."""
    reference = compared.reference
    return {
        "schema_version": COMPARISON_SCHEMA,
        "task": reference.pools.task.name,
        "models": len(reference.retrained),
        "ranking": [report.as_dict(result) for result in compared.ranked],
        "attack_accuracy": compared.attacked,
        "failed": [{"name": path.stem, "reason": str(error)} for path, error in compared.failed.items()],
    }


def write(compared: Comparison, folder: Path) -> None:
    """Put comparison.json and comparison.png into ``folder``, and a report a submission below it."""
    write_atomically(folder / "comparison.json", json.dumps(as_dict(compared), indent=2).encode())
    write_atomically(folder / "comparison.png", picture_of_ranking(compared.ranked, compared.reference))
    for result in compared.ranked:
        report.write(result, folder / result.submission.name)
