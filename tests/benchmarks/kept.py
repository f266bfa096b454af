"""What `make methods` has measured: a small file per row in results/methods.

All rows together take many hours, so the files are part of the repository: an interrupted measurement goes on from
them, on this machine or on another. Models are not kept. The banks beside the rows hold what rows are compared with.
"""

import ast
import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from scoring.banks import fitting
from scoring.judging.interval import Spread
from scoring.reports.columns import Figures
from scoring.reports.files import folder_of
from scoring.reports.seeds import SeedsRow, summary_of
from scoring.running.pools import Pools
from scoring.tuning.constants import Number
from tests.benchmarks.ranking import REFERENCE, Compared, rows_of
from tests.benchmarks.record import RESULTS

ROWS = RESULTS / "methods"
DIGITS = 3
"""Significant digits of what chance adds to a score."""


@dataclass(frozen=True)
class Row:
    """A row of a comparison.

    Attributes:
        code: SHA-256 of the submission's code; empty for the ceiling and the floor.
        reference: the digest of the retrained pool that it was compared with.
        host: the machine.
        figures: of each column; None if the submission failed.
        deviations: [SPLITS][F], see ``interval.Spread``; empty for the ceiling, the floor and what failed.
        blocks: of this many blocks of its models, how many intervals cover the mean of the others; and how many blocks
            there are.
        band: where an exact method scores in about 95% of runs.
        failed: why there are no figures.
    """

    code: str
    reference: str
    host: dict[str, str]
    figures: Figures | None = None
    deviations: Sequence[Sequence[float]] = ()
    blocks: Sequence[int] = ()
    band: Sequence[float] = ()
    failed: str | None = None

    @property
    def spread(self) -> Spread:
        """How far chance moves its score."""
        assert self.figures is not None
        return Spread(self.figures["score"] or 0.0, np.array(self.deviations))


@dataclass(frozen=True)
class Tuned:
    """What a search for a submission's constants found.

    Attributes:
        code: SHA-256 of the submission's code.
        host: the machine.
        outcomes: how many trials ended in each way.
        values: the best constants by name; None if no score was above 0.
        score: with these, on the tuning seed.
        failed: why nothing was searched.
    """

    code: str
    host: dict[str, str]
    outcomes: dict[str, int] = field(default_factory=dict)
    values: dict[str, Number] | None = None
    score: float | None = None
    failed: str | None = None


def code_of(source: str) -> str:
    """SHA-256 of what follows a submission's docstring: other words about a method change nothing that it does."""
    first = ast.parse(source).body[0]
    is_docstring = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    code = source.splitlines()[first.end_lineno if is_docstring else 0 :]
    return hashlib.sha256("\n".join(code).encode()).hexdigest()


def rounded(deviations: Sequence[Sequence[float]]) -> list[list[float]]:
    """Deviations with as many digits as they are worth."""
    return [[float(f"{value:.{DIGITS}g}") for value in split] for split in deviations]


def folder(task: str, seed: int, models: int) -> Path:
    """Where the rows of a comparison are."""
    return folder_of(ROWS, task, seed, models, "rows")


def bank_of(task: str, seed: int, models: int) -> Path:
    """The bank that the rows of a comparison are compared with: the kit's own, or one beside them."""
    own = fitting.OWN.get(task)
    return own if own and seed == 0 else folder(task, seed, models).with_name("bank.zip")


def is_current(row: Row, code: str, pools: Pools) -> bool:
    """Whether a row is what would be measured now: with this code, against these pools."""
    return (row.code, row.reference) == (code, pools.identity.reference)


def read(path: Path) -> Row | None:
    """The row in a file, if there is one."""
    return Row(**json.loads(path.read_text())) if path.is_file() else None


def place_of_tuned(name: str) -> Path:
    """Where the constants of a submission are."""
    return ROWS / "tuned" / f"{name}.json"


def tuned(name: str) -> Tuned | None:
    """The constants of a submission, if they were searched."""
    path = place_of_tuned(name)
    return Tuned(**json.loads(path.read_text())) if path.is_file() else None


def write(path: Path, row: Row | Tuned) -> None:
    """Put a row, or what a search found, into a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".part")
    unfinished.write_text(json.dumps(asdict(row), separators=(",", ":")) + "\n")
    unfinished.replace(path)


def remove_others(task: str, seed: int, models: int, names: Collection[str]) -> None:
    """Remove the rows of submissions that are gone, or have no tuned constants any more."""
    for path in folder(task, seed, models).glob("*.json"):
        if path.stem not in (*names, *REFERENCE):
            path.unlink()


def rows_in(task: str, seed: int, models: int) -> dict[str, Row]:
    """All rows of a comparison, by name."""
    found = {path.stem: read(path) for path in sorted(folder(task, seed, models).glob("*.json"))}
    return {name: row for name, row in found.items() if row}


def compared(task: str, seeds: Sequence[int], models: int) -> Compared:
    """The comparison on several seeds, for a table.

    Submissions that were measured on every seed are put into groups. Those that were measured on the first seed only
    have a row, but no group. Those that failed are left out.
    """
    measured = [rows_in(task, seed, models) for seed in seeds]
    failed = {name for rows in measured for name, row in rows.items() if row.figures is None}
    submissions = set(measured[0]) - failed - set(REFERENCE)
    # Sorted, so that ties have the same order in every run.
    complete = [name for name in sorted(submissions) if all(name in rows for rows in measured)]
    alone = _summary({name: [measured[0][name].spread] for name in sorted(submissions - set(complete))})
    summary = {name: row.model_copy(update={"group": None}) for name, row in alone.items()}
    summary |= _summary({name: [rows[name].spread for rows in measured] for name in complete})
    figures = [{name: row.figures for name, row in rows.items() if row.figures} for rows in measured]
    ceilings = [rows["ceiling"] for rows in measured]
    bands = [(one.band[0], one.band[1]) for one in ceilings]
    hosts = [row.host for rows in measured for row in rows.values()]
    return Compared(rows_of(figures, summary), bands, hosts, sorted(failed))


def _summary(spreads: Mapping[str, Sequence[Spread]]) -> dict[str, SeedsRow]:
    """The mean score of each submission, with its interval and its group."""
    return {
        row.name: row
        for row in summary_of({name: [(one.value, one) for one in some] for name, some in spreads.items()})
    }
