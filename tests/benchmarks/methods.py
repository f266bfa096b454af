"""``make methods``: every method with published and with tuned constants on digits, and with published ones on faces.

On digits, each method has a row on every seed: with tuned constants, or with its own if no search found any. Its own
are measured beside tuned ones on every seed if they keep to the time budget, else on the first seed only: such runs
would not count in the competition, and take the longest.

What is measured is kept in results/methods, so you can stop and start it again at any moment. It is measured again if
the submission's code has changed, or if this machine would compare it with other retrained models.
"""

import multiprocessing
import os
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import replace
from functools import cache, partial
from pathlib import Path

from scoring.bank import bank_of
from scoring.banks import fitting
from scoring.banks.files import packed
from scoring.banks.words import words_of
from scoring.cli.console import messages
from scoring.cli.pools import backend_of, pools_of
from scoring.compare import judge_references
from scoring.judging.time import BUDGET
from scoring.reports import tuning
from scoring.reports.columns import figures_of, reference_rows
from scoring.reports.files import folder_of
from scoring.reports.place import write_together
from scoring.reports.recording import record_of
from scoring.run import Reference, judge, prepare
from scoring.running.machines import cores
from scoring.running.pools import Pools
from scoring.running.progress import Progress
from scoring.tuning import search
from scoring.untrusted.processes import end_with
from scoring.untrusted.submission import Submission
from scoring.untrusted.submission import read as submission_at
from starter_kit.contract import brings_learning, reads_text
from starter_kit.errors import SubmissionError
from tests.benchmarks import agreement, kept, ranking
from tests.benchmarks.blocks import blocks_covered
from tests.benchmarks.ranking import REFERENCE
from tests.benchmarks.variants import ROOT, SUBMISSIONS, VARIANTS

REPORTS, STORE = ROOT / "out/reports", ROOT / "out/store"
PAGES = ROOT / "README.md", SUBMISSIONS / "README.md"
TRIALS = 20

Comparison = tuple[str, int, int]
"""A task, a seed and the number of models per pool."""

DIGITS: list[Comparison] = [("digits", seed, 512) for seed in (0, 1, 2)]
FACES: Comparison = ("faces:600", 0, 32)


def methods() -> list[Path]:
    """The submissions that run on pictures and do not bring their own learning."""
    every = sorted(SUBMISSIONS.glob("[!_]*.py"))
    return [path for path in every if not brings_learning(path) and not reads_text(path.read_text())]


def pools_for(task: str, seed: int, workers: int | None = 1) -> Pools:
    """The pools of a task. Several rows are measured at once, each with a single worker."""
    (found,) = pools_of(task, None, None, "cpu", (seed,), STORE, workers, backend_of("processes"))
    return found


def tune(path: Path) -> str:
    """Search for a submission's best constants, unless they are kept. Returns what came of it."""
    submission = submission_at(path)
    found = kept.tuned(path.stem)
    code = kept.code_of(submission.source)
    if found is None or found.code != code:
        pools = pools_for("digits", search.TUNING_SEED)
        quiet = replace(pools, progress=pools.progress.quiet)
        try:
            searched = search.search(path, quiet, TRIALS, lambda _: None)
        except SubmissionError as error:
            found = kept.Tuned(code, quiet.kind, failed=reason(error, path))
        else:
            tuning.write(searched, folder_of(REPORTS, "digits", search.TUNING_SEED, search.MODELS, path.stem))
            best, outcomes = searched.best, Counter(trial.outcome for trial in searched.trials)
            found = kept.Tuned(
                code, quiet.kind, dict(outcomes), best.values if best else None, best.score if best else None
            )
        kept.write(kept.place_of_tuned(path.stem), found)
    return f"tuned {path.stem}: {found.score if found.values else found.failed or 'no score above 0'}"


def with_best_constants() -> list[Path]:
    """The submissions for which a search found constants, with these."""
    places = []
    for path in methods():
        found = kept.tuned(path.stem)
        if found and found.values:
            places.append(VARIANTS / f"{path.stem}{tuning.SUFFIX}.py")
            tuning.write_tuned(submission_at(path), found.values, TRIALS, "digits", places[-1])
    return places


def make_bank(comparison: Comparison) -> None:
    """Make what the rows of a comparison are compared with, unless it is kept."""
    task, seed, models = comparison
    bank = kept.bank_of(task, seed, models)
    if not bank.is_file():
        made = bank_of(pools_for(task, seed, workers=None), models)
        words = words_of(made.card, f"TASK={task} MODELS={models} SEED={seed}")
        write_together(bank.parent, {bank.name: packed(made, words)})


def measure_reference(comparison: Comparison) -> None:
    """Measure the rows of ceiling and floor, unless they are kept."""
    pools, folder = pools_of_comparison(comparison), kept.folder(*comparison)
    stored = [kept.read(folder / f"{name}.json") for name in REFERENCE]
    if all(row and kept.is_current(row, "", pools) for row in stored):
        return
    reference = prepare(replace(pools, workers=None), comparison[2])
    for name, figures in reference_rows(reference, judge_references(reference), []).items():
        row = kept.Row("", pools.identity.reference, pools.kind, figures, band=reference.ceiling.band)
        kept.write(folder / f"{name}.json", row)


@cache
def pools_of_comparison(comparison: Comparison) -> Pools:
    """The pools of a comparison, from its bank if it has one."""
    task, seed, models = comparison
    pools, bank = pools_for(task, seed), kept.bank_of(task, seed, models)
    return pools.from_bank(fitting.given(bank, pools.task, seed, models), bank.name) if bank.is_file() else pools


@cache
def reference_of(comparison: Comparison) -> Reference:
    """What the rows of a comparison are compared with."""
    pools = pools_of_comparison(comparison)
    return prepare(replace(pools, progress=pools.progress.quiet), comparison[2])


def measure(path: Path, comparison: Comparison) -> str:
    """Measure a row, unless it is kept. Returns what came of it. A failure is part of the result."""
    place, submission = kept.folder(*comparison) / f"{path.stem}.json", submission_at(path)
    row, code = kept.read(place), kept.code_of(submission.source)
    if not row or not kept.is_current(row, code, pools_of_comparison(comparison)):
        row = _measured(submission, reference_of(comparison))
        kept.write(place, row)
    task, seed, _ = comparison
    return f"{task}, seed {seed}, {path.stem}: {row.figures['score'] if row.figures else row.failed}"


def is_repeated(path: Path, first: Comparison) -> bool:
    """Whether a submission is measured on other seeds, too: one that no tuned file replaces, or within the budget."""
    found, row = kept.tuned(path.stem), kept.read(kept.folder(*first) / f"{path.stem}.json")
    assert row is not None
    if row.figures is None:
        return False
    return not (found and found.values) or (row.figures["time"] or 0.0) <= BUDGET


def _measured(submission: Submission, reference: Reference) -> kept.Row:
    pools = reference.pools
    row = kept.Row(kept.code_of(submission.source), pools.identity.reference, pools.kind)
    try:
        result = judge(submission, reference)
    except SubmissionError as error:
        return replace(row, failed=reason(error, submission.path))
    assert result.spread is not None
    return replace(
        row,
        figures=figures_of(record_of(result)),
        deviations=kept.rounded(result.spread.deviations.tolist()),
        blocks=blocks_covered(result.unlearned.outputs, reference.retrained),
    )


def reason(error: SubmissionError, path: Path) -> str:
    """Why a submission failed, without the folder that it is in."""
    return str(error).replace(str(path), path.name).splitlines()[0]


def all_at_once(work: Iterable[Callable[[], str]]) -> None:
    """Do pieces of work on all cores, and say what came of each."""
    # Not forks: torch has threads in this process, and a fork would inherit their locks.
    spawned = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(cores(), spawned, initializer=end_with, initargs=(os.getpid(),)) as workers:
        made = [workers.submit(piece) for piece in work]
        for number, one in enumerate(as_completed(made), start=1):
            Progress(messages).say(f"{number} of {len(made)}: {one.result()}")


def main() -> None:
    """Measure what is not kept, and write the pages."""
    all_at_once(partial(tune, path) for path in methods())
    for comparison in DIGITS:
        make_bank(comparison)
        measure_reference(comparison)
    rows = [*with_best_constants(), *methods()]
    for comparison in (*DIGITS, FACES):
        kept.remove_others(*comparison, {path.stem for path in rows})
    first, *others = DIGITS
    all_at_once(partial(measure, path, first) for path in rows)
    repeated = [path for path in rows if is_repeated(path, first)]
    all_at_once(partial(measure, path, comparison) for comparison in others for path in repeated)
    measure_reference(FACES)
    all_at_once(partial(measure, path, FACES) for path in methods())
    for page in PAGES:
        page.write_text(agreement.filled(ranking.filled(page.read_text(), kept.compared), kept.compared))


if __name__ == "__main__":
    main()
