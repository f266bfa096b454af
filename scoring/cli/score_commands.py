"""The commands for one submission: score, certify, judge."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from scoring.cli.console import reporting_errors, results, say, say_notes, warn_of_strangers
from scoring.cli.options import (
    MADE,
    REPORTS,
    Address,
    BackendName,
    BankOption,
    Data,
    Device,
    Forget,
    Limit,
    Models,
    Out,
    SandboxName,
    Seed,
    Seeds,
    Share,
    StartModel,
    Store,
    Submission,
    TaskName,
    Workers,
)
from scoring.cli.pools import backend_of, pools_of, seeds_of, with_banks
from scoring.cli.values import a_path
from scoring.judging.interval import FEWEST_MODELS, spread_of
from scoring.judging.score import OFFICIAL_MODELS, NothingLearned, score
from starter_kit.errors import InputError, quoted

if TYPE_CHECKING:
    from scoring.reports.seeds import SeedsRecord
    from scoring.run import Alone, Result
    from scoring.running.pools import Pools

DEFAULT_SUBMISSION = Path("submissions/finetune.py")

INTERRUPTED = "Stopped. Finished models are kept; the same command continues from there."


def score_command(
    submission: Annotated[
        Path | None,
        typer.Argument(
            parser=a_path, show_default=str(DEFAULT_SUBMISSION), help="The file with your unlearning function."
        ),
    ] = None,
    task: TaskName = "digits",
    data: Data = None,
    model: StartModel = None,
    forget: Forget = None,
    models: Models = OFFICIAL_MODELS,
    device: Device = "",
    seed: Seed = 0,
    seeds: Seeds = None,
    out: Out = None,
    store: Store = MADE / "store",
    workers: Workers = None,
    limit: Limit = None,
    backend: BackendName = "processes",
    bank: BankOption = None,
    sandbox: SandboxName = "",
    address: Address = "",
    share: Share = None,
    checkpoints: Annotated[
        Path | None,
        typer.Option("--checkpoints", parser=a_path, help="Score this zip or folder of checkpoints instead."),
    ] = None,
) -> None:
    """Score one submission, or checkpoints that were made elsewhere.

    Trains the original model and the retrained pool, unless they are stored already; runs the submission on one copy
    of the original per retrained model; scores it, and writes a page (report.html), report.json, report.png and the
    judged outputs. You can stop it at any moment: the same command continues where it stopped.
    """
    from scoring.reports.files import FILES
    from scoring.reports.place import check_place

    with reporting_errors(INTERRUPTED):
        if submission and checkpoints:
            raise InputError(
                f"Expected SUBMISSION= or CHECKPOINTS=, found both: {quoted(submission)} and {quoted(checkpoints)}."
            )
        if out:
            check_place(out, FILES)
        chosen = seeds_of(seed, seeds)
        rows_by = backend_of(backend, sandbox, address, share)
        found = pools_of(task, data, model, device, chosen, store, workers, rows_by, limit, forget)
        found = with_banks(found, bank, models)
        if checkpoints:
            if len(chosen) > 1:
                raise InputError("Checkpoints come from one original model, so CHECKPOINTS= needs a single SEED=.")
            score_checkpoints(checkpoints, found[0], models, out)
        else:
            warn_of_strangers([submission or DEFAULT_SUBMISSION], sandbox)
            score_on_seeds(submission or DEFAULT_SUBMISSION, found, models, out)


def score_on_seeds(path: Path, pools: "Sequence[Pools]", models: int, out: Path | None) -> None:
    """Score a submission on the pools of each seed, report each score, and the mean if there are several seeds."""
    from scoring import run
    from scoring.reports import seeds as summary
    from scoring.reports.alone import FILES as FILES_WITHOUT_SCORE
    from scoring.reports.files import FILES, folder_of_seeds
    from scoring.reports.place import check_place

    alone = bool(pools[0].task.why_no_retrained)
    folders = [folder_for(one, models, path.stem, out, len(pools)) for one in pools]
    for folder in folders:
        check_place(folder, FILES_WITHOUT_SCORE if alone else FILES)
    if alone:
        for one, folder in zip(pools, folders, strict=True):
            report_alone(run.run_alone(path, one, models), folder)
        return
    results = []
    for result, folder in zip(run.run_on_seeds(path, pools, models), folders, strict=True):
        results.append(result)
        report(result, folder)
    if len(results) > 1:
        numbers = [one.setting.seed for one in pools]
        folder = out or folder_of_seeds(REPORTS, pools[0].task.label, numbers, models, path.stem)
        summarise(summary.record_of_seeds([[one] for one in results], [one.reference for one in results]), folder)


def score_checkpoints(path: Path, pools: "Pools", models: int, out: Path | None) -> None:
    """Score models that were made elsewhere, and report the score."""
    from scoring import run
    from scoring.reports.files import FILES
    from scoring.reports.place import check_place

    folder = folder_for(pools, models, path.stem, out, 1)
    check_place(folder, FILES)
    report(run.run_checkpoints(path, pools, models), folder)


def folder_for(pools: "Pools", models: int, name: str, out: Path | None, seeds: int) -> Path:
    """Where the report of one seed goes, if there are this many."""
    from scoring.reports.files import folder_of

    seed = pools.setting.seed
    if out:
        return out / f"seed-{seed}" if seeds > 1 else out
    return folder_of(REPORTS, pools.task.label, seed, models, name)


def summarise(record: "SeedsRecord", folder: Path) -> None:
    """Write and show the summary over several seeds."""
    from scoring.reports import seeds as summary

    summary.write(record, folder)
    results.print(summary.table(record))
    say(f"{quoted(folder)}/{summary.FILE}")


def certify_command(
    submission: Submission,
    task: TaskName = "digits",
    data: Data = None,
    model: StartModel = None,
    forget: Forget = None,
    device: Device = "",
    seed: Seed = 0,
    store: Store = MADE / "store",
    workers: Workers = None,
    limit: Limit = None,
    backend: BackendName = "processes",
    sandbox: SandboxName = "",
    address: Address = "",
    share: Share = None,
) -> None:
    """Check whether a submission that brings its own learning unlearns exactly.

    Unlearns and retrains from the same seeds, for several requests, and compares the resulting models bit by bit. The
    exit code is 1 if any bit differs. From then on, `make score` reports the result too.
    """
    from scoring import run
    from scoring.reports.certificate import sentences

    with reporting_errors(INTERRUPTED):
        warn_of_strangers([submission], sandbox)
        rows_by = backend_of(backend, sandbox, address, share)
        (pools,) = pools_of(task, data, model, device, (seed,), store, workers, rows_by, limit, forget)
        certificate = run.certify(submission, pools)
        for sentence in sentences(submission.stem, certificate):
            results.print(sentence, soft_wrap=True)
        if not certificate.exact:
            raise typer.Exit(1)


def judge_command(
    unlearned: Annotated[Path, typer.Argument(parser=a_path, help="Saved outputs of the unlearned models, an .npz.")],
    retrained: Annotated[
        Path, typer.Argument(parser=a_path, help="Saved outputs of the same number of retrained models.")
    ],
) -> None:
    """Compute a score again from two files of saved outputs. Nothing is trained."""
    from scoring.reports.files import load_outputs
    from scoring.reports.notes import notes_on_interval, notes_on_models
    from scoring.reports.table import judged_table
    from scoring.run import Judged

    with reporting_errors(INTERRUPTED):
        pools = [load_outputs(path) for path in (unlearned, retrained)]
        try:
            judged = Judged(pools[0], score(*pools))
        except ValueError as error:
            raise InputError(f"{error}.") from error
        models, spread = len(pools[0]), None
        with suppress(NothingLearned):
            spread = spread_of(*pools, value=judged.score.value) if models >= FEWEST_MODELS else None
        results.print(judged_table(unlearned, judged, spread))
        say_notes(notes_on_models(models) + notes_on_interval(spread, models))


def report(result: "Result", folder: Path) -> None:
    """Write the report of a result, and show it."""
    from scoring.reports import conversations, files
    from scoring.reports.page.words import verdict
    from scoring.reports.recording import record_of
    from scoring.reports.table import table

    record = record_of(result)
    files.write(result, record, folder)
    results.print(table(record))
    if said := conversations.table(record):
        results.print(said)
    say_notes(record.notes)
    say(verdict(record))
    say(f"{quoted(folder)}/report.html (also report.json and report.png)")


def report_alone(result: "Alone", folder: Path) -> None:
    """Write the report of a result without a score, and show it."""
    from scoring.reports import alone

    record = alone.record_of(result)
    alone.write(result, record, folder)
    results.print(alone.table(record))
    say(f"{quoted(folder)}/alone.json")


COMMANDS: dict[str, Callable] = {
    "score": score_command,
    "certify": certify_command,
    "judge": judge_command,
}
