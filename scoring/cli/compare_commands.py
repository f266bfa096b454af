"""The command for several submissions: compare."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from scoring.cli.console import reporting_errors, results, say, say_error, say_notes, warn_of_strangers
from scoring.cli.options import (
    MADE,
    REPORTS,
    Address,
    BackendName,
    BankOption,
    Columns,
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
    TaskName,
    Workers,
)
from scoring.cli.pools import backend_of, pools_of, seeds_of, with_banks
from scoring.cli.score_commands import INTERRUPTED, folder_for, summarise
from scoring.cli.values import a_path
from scoring.judging.score import OFFICIAL_MODELS
from starter_kit.errors import InputError, plain, quoted


def compare_command(
    submissions: Annotated[
        list[Path] | None,
        typer.Argument(
            parser=a_path, show_default="all in submissions/ without their own learning", help="Submission files."
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
    columns: Columns = None,
) -> None:
    """Score several submissions and rank them.

    Writes a page (comparison.html), comparison.json, comparison.png and a report per submission. A failing submission
    is listed with its error; the others go on, and the exit code is 1.
    """
    from scoring.compare import compare_on_seeds
    from scoring.reports import comparison
    from scoring.reports import seeds as summary
    from scoring.reports.columns import COLUMNS
    from scoring.reports.files import folder_of_seeds
    from scoring.reports.notes import notes_on_comparison
    from scoring.reports.place import check_place

    with reporting_errors(INTERRUPTED):
        paths = submissions or _all_submissions()
        if unknown := [name for name in columns or () if name not in COLUMNS]:
            raise InputError(f"There is no column {quoted(unknown[0])}. Expected some of {','.join(COLUMNS)}.")
        files = comparison.files_for([path.stem for path in paths])
        if out:
            check_place(out, files)
        warn_of_strangers(paths, sandbox)
        chosen = seeds_of(seed, seeds)
        rows_by = backend_of(backend, sandbox, address, share)
        pools = pools_of(task, data, model, device, chosen, store, workers, rows_by, limit, forget)
        pools = with_banks(pools, bank, models)
        folders = [folder_for(one, models, "comparison", out, len(pools)) for one in pools]
        for folder in folders:
            check_place(folder, files)
        compared = []
        for found, folder in zip(compare_on_seeds(paths, pools, models), folders, strict=True):
            compared.append(found)
            record = comparison.record_of_comparison(found)
            comparison.write(found, record, folder)
            results.print(comparison.table(found, record, columns or ()))
            say_notes(notes_on_comparison(found))
            say(f"{quoted(folder)}/comparison.html (also comparison.json and comparison.png)")
            for unsuited in found.unsuited.values():
                say(plain(str(unsuited)))
            for path, error in found.failed.items():
                say_error(f"\n{quoted(path.stem)}: {error}")
        if len(compared) > 1 and all(one.ranked for one in compared):
            numbers = [one.setting.seed for one in pools]
            folder = out or folder_of_seeds(REPORTS, pools[0].task.label, numbers, models, "comparison")
            failed = {path.stem for one in compared for path in one.failed}
            ranked, references = [one.ranked for one in compared], [one.reference for one in compared]
            summarise(summary.record_of_seeds(ranked, references, failed), folder)
        if any(one.failed for one in compared):
            raise typer.Exit(1)


def _all_submissions() -> list[Path]:
    """Those that take minutes: to compare one that brings its own learning takes up to an hour."""
    from starter_kit.contract import brings_learning

    every = sorted(Path("submissions").glob("[!_]*.py"))
    left_out = [path for path in every if brings_learning(path)]
    if left_out:
        names = ", ".join(quoted(path.stem) for path in left_out)
        say(f"Left out, because they bring their own learning: {names}. Name them with SUBMISSIONS= to compare them.")
    return [path for path in every if path not in left_out]


COMMANDS: dict[str, Callable] = {"compare": compare_command}
