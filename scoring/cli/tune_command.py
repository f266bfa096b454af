"""The command that searches the constants of a submission: tune."""

from collections.abc import Callable

from scoring.cli.console import reporting_errors, results, say, warn_of_strangers
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
    Trials,
    Workers,
)
from scoring.cli.pools import backend_of, pools_of, seeds_of, with_banks
from scoring.cli.score_commands import score_on_seeds
from scoring.judging.score import OFFICIAL_MODELS
from starter_kit.errors import InputError, quoted

INTERRUPTED = "Stopped. Finished trials are kept; the same command continues from there."


def tune_command(
    submission: Submission,
    trials: Trials = 40,
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
) -> None:
    """Search the constants of a submission for a task, then score it with the best ones.

    Searches the positive numbers with upper-case names at the top of the file or, if the file has a dictionary RANGES,
    those that it names, within its bounds. Each trial is scored with 32 models on a seed reserved for tuning; trials
    over the time budget do not count. The file with the best constants is written beside the submission,
    as NAME_tuned.py, and scored with MODELS on SEED or SEEDS.
    """
    from scoring.reports import tuning as reports
    from scoring.reports.files import folder_of
    from scoring.reports.place import check_place
    from scoring.tuning import search

    with reporting_errors(INTERRUPTED):
        chosen = seeds_of(seed, seeds)
        if search.TUNING_SEED in chosen:
            raise InputError(f"Seed {search.TUNING_SEED} is reserved for tuning. Choose another SEED=.")
        place = reports.place_of_tuned(submission)
        warn_of_strangers([submission], sandbox)
        every = (search.TUNING_SEED, *chosen)
        rows_by = backend_of(backend, sandbox, address, share)
        pools, *others = pools_of(task, data, model, device, every, store, workers, rows_by, limit, forget)
        others = with_banks(others, bank, models)
        of_search = folder_of(REPORTS, pools.task.label, search.TUNING_SEED, search.MODELS, submission.stem)
        folder = out / "tuning" if out else of_search
        check_place(folder, reports.FILES)
        check_place(place.parent, (place.name,))
        tuning = search.search(submission, pools, trials, lambda trial: pools.progress.say(reports.line(trial)))
        reports.write(tuning, folder)
        results.print(reports.table(tuning))
        say(f"{quoted(folder)}/{reports.FILES[0]} and {reports.FILES[1]}")
        if tuning.best is None:
            raise InputError(
                f"No trial of {quoted(submission)} scored above 0 within the time budget, so there is no tuned file. "
                "Try other RANGES, or more TRIALS."
            )
        reports.write_tuned(tuning.submission, tuning.best.values, len(tuning.trials), pools.task.label, place)
        say(f"Wrote {quoted(place)}.")
        score_on_seeds(place, others, models, out)


COMMANDS: dict[str, Callable] = {"tune": tune_command}
