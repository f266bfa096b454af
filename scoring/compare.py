"""Several submissions, compared with the same pools and ranked."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from scoring.judging.ceiling import halves
from scoring.judging.groups import groups
from scoring.judging.judges import verdicts
from scoring.run import Reference, Result, judge, prepare
from scoring.running.plan import plan
from scoring.running.pools import Pools
from scoring.untrusted.submission import Submission, read
from starter_kit.contract import read_source
from starter_kit.errors import InputError, KitError, UnsuitedError

REFERENCE_ROWS = ("ceiling", "floor")
"""The rows of a comparison that are no submissions."""


@dataclass(frozen=True, eq=False)
class Comparison:
    """The results of several submissions.

    Attributes:
        reference: the pools that all are compared with.
        ranked: the results, best score first.
        groups: the group of each of them, by name: none differs significantly from the first of its group. None if the
            models are too few.
        failed: the errors of the other submissions, by their paths.
        unsuited: what those say that do not work on this task.
        judged: what other judges say of "ceiling" (half of the retrained models against the other half) and "floor".
    """

    reference: Reference
    ranked: list[Result]
    groups: dict[str, int] | None
    failed: dict[Path, KitError]
    unsuited: dict[Path, UnsuitedError]
    judged: dict[str, dict[str, float | None]]


def compare_on_seeds(paths: list[Path], seeds: Sequence[Pools], models: int) -> Iterator[Comparison]:
    """Score the submissions at ``paths`` on each seed in turn, one after the other. A failure does not stop the others.

    Raises:
        SubmissionError: one of the files does not exist.
        InputError: two files have the same name, or one has the name of a reference row.
        MachineError: the reference pools could not be made.
    """
    paths = _different_names(paths)
    for path in paths:
        if not path.is_file():
            read_source(path)  # It raises and says which file may have been meant, before hours of work.
    if not seeds[0].task.why_no_retrained:
        # It shows how long a model takes.
        _ = seeds[0].original
        seeds[0].progress.expect(plan(seeds, _readable(paths), models, compared=True))
    for pools in seeds:
        yield _compared(paths, pools, models)


def _readable(paths: Sequence[Path]) -> list[Submission]:
    """The submissions at ``paths`` that can be read. Errors in the others are reported when they are run."""
    found = []
    for path in paths:
        with suppress(KitError):
            found.append(read(path))
    return found


def _compared(paths: list[Path], pools: Pools, models: int) -> Comparison:
    reference = prepare(pools, models)
    results: list[Result] = []
    failed: dict[Path, KitError] = {}
    unsuited: dict[Path, UnsuitedError] = {}
    for path in paths:
        try:
            submission = read(path)
            own = prepare(pools.of(submission), models) if submission.learns else reference
            results.append(judge(submission, own))
        except UnsuitedError as error:
            unsuited[path] = error
        except KitError as error:
            failed[path] = error
    ranked = sorted(results, key=lambda result: -result.unlearned.score.value)
    return Comparison(reference, ranked, groups_of(ranked), failed, unsuited, judge_references(reference))


def judge_references(reference: Reference) -> dict[str, dict[str, float | None]]:
    """What other judges say of "ceiling" (half of the retrained models against the other half) and "floor"."""
    return {
        "ceiling": verdicts(*halves(reference.retrained, 0)),
        "floor": verdicts(reference.floor.outputs, reference.retrained),
    }


def groups_of(results: list[Result]) -> dict[str, int] | None:
    """The group of each submission, by name; None if the models are too few to tell any apart."""
    spreads = {result.submission.name: result.spread for result in results if result.spread}
    return groups(spreads) if len(spreads) == len(results) else None


def _different_names(paths: list[Path]) -> list[Path]:
    """The paths without repetitions, if each row of the table will have a name of its own."""
    files = {path.resolve(): path for path in paths}
    by_name: dict[str, Path] = {}
    for path in files.values():
        if path.stem in REFERENCE_ROWS:
            raise InputError(f"{path} has the name of a reference row of the table. Rename it to compare it.")
        if path.stem in by_name:
            raise InputError(f"{by_name[path.stem]} and {path} have the same name. Rename one of them to compare them.")
        by_name[path.stem] = path
    return list(files.values())
