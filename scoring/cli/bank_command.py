"""The command that makes a bank."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from scoring.cli.console import reporting_errors, say
from scoring.cli.options import (
    MADE,
    Address,
    BackendName,
    Data,
    Device,
    Forget,
    ModelsOfBank,
    Seed,
    Share,
    StartModel,
    Store,
    TaskName,
    Workers,
)
from scoring.cli.pools import backend_of, pools_of
from scoring.cli.score_commands import INTERRUPTED
from scoring.cli.values import a_path
from scoring.judging.score import OFFICIAL_MODELS
from starter_kit.errors import quoted


def bank_command(
    task: TaskName = "digits",
    data: Data = None,
    model: StartModel = None,
    forget: Forget = None,
    models: ModelsOfBank = OFFICIAL_MODELS,
    device: Device = "",
    seed: Seed = 0,
    out: Annotated[
        Path | None,
        typer.Option("--out", parser=a_path, show_default="out/banks/TASK/bank.zip", help="The file to write."),
    ] = None,
    store: Store = MADE / "store",
    workers: Workers = None,
    backend: BackendName = "processes",
    address: Address = "",
    share: Share = None,
) -> None:
    """Write the original and the retrained models to one file, so that others can score without training them.

    The file holds the original model, the answers of the retrained models, their ceiling, and a card that says where
    these come from. `make score BANK=` reads it.
    """
    from scoring.bank import bank_of
    from scoring.banks.files import packed
    from scoring.banks.words import words_of
    from scoring.reports.place import check_place, write_together

    with reporting_errors(INTERRUPTED):
        rows_by = backend_of(backend, "", address, share)
        (pools,) = pools_of(task, data, model, device, (seed,), store, workers, rows_by, None, forget)
        path = out or MADE / "banks" / pools.task.label / "bank.zip"
        check_place(path.parent, (path.name,))
        bank = bank_of(pools, models)
        options = {"TASK": task, "MODELS": models, "SEED": seed} | ({"FORGET": forget} if forget else {})
        content = packed(bank, words_of(bank.card, " ".join(f"{name}={value}" for name, value in options.items())))
        write_together(path.parent, {path.name: content})
        say(f"{quoted(path)}, {len(content):,} bytes")


COMMANDS: dict[str, Callable] = {"bank": bank_command}
