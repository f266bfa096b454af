"""The command that makes a competition: host."""

import secrets
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from scoring.cli.console import messages, reporting_errors, say
from scoring.cli.options import (
    LARGEST_SEED,
    MADE,
    Address,
    BackendName,
    Data,
    Device,
    Forget,
    ModelsOfBank,
    Share,
    Store,
    TaskName,
    Workers,
    whole_seed,
)
from scoring.cli.pools import backend_of, pools_of
from scoring.cli.score_commands import INTERRUPTED
from scoring.cli.values import a_folder
from scoring.judging.score import OFFICIAL_MODELS
from starter_kit.errors import InputError, quoted

FEWEST = 10**17
"""The least that a seed may be. Shorter ones can be found by trial from what a run sees of its own random numbers."""


class Kind(StrEnum):
    """Where a competition takes place."""

    codabench = "codabench"
    kaggle = "kaggle"


class Accepts(StrEnum):
    """What participants submit."""

    code = "code"
    checkpoints = "checkpoints"


def host_command(
    kind: Annotated[Kind, typer.Option(help="The platform.")],
    seed: Annotated[
        int | None,
        typer.Option(
            "--seed",
            parser=whole_seed,
            show_default="suggested",
            help="The secret seed of the original and the retrained models, of at least 18 digits.",
        ),
    ] = None,
    task: TaskName = "digits",
    data: Data = None,
    forget: Forget = None,
    models: ModelsOfBank = OFFICIAL_MODELS,
    device: Device = "",
    accept: Annotated[
        Accepts,
        typer.Option(
            help="What participants submit on Codabench: code (a file with unlearning) or checkpoints (models)."
        ),
    ] = Accepts.code,
    out: Annotated[
        Path | None,
        typer.Option("--out", parser=a_folder, show_default="out/hosting/KIND", help="The folder to write."),
    ] = None,
    upload: Annotated[
        str | None,
        typer.Option(
            "--upload",
            metavar="<name>",
            help="With KIND=kaggle, also create the competition on Kaggle, with this name in its URL.",
        ),
    ] = None,
    store: Store = MADE / "store",
    workers: Workers = None,
    backend: BackendName = "processes",
    address: Address = "",
    share: Share = None,
) -> None:
    """Write everything you upload to host your own competition, and a README with the remaining steps.

    Trains the original model and the retrained models, unless they are stored. Keep SEED secret: anyone who knows it
    can regenerate the models that submissions are compared with. Without SEED, the command suggests one.
    """
    from scoring.hosting import codabench, kaggle, kaggle_upload
    from scoring.hosting.make import competition_of, data_of
    from scoring.reports.place import check_place, write_together
    from starter_kit.kaggle.client import Patience, connect

    with reporting_errors(INTERRUPTED):
        if upload and kind is not Kind.kaggle:
            raise InputError("UPLOAD= is for KIND=kaggle. For Codabench, upload the zip on the site.")
        if seed is None or seed < FEWEST:
            found = "found none" if seed is None else f"found {seed}"
            drawn = FEWEST + secrets.randbelow(LARGEST_SEED - FEWEST)
            raise InputError(
                f"Expected a secret SEED of at least 18 digits, {found}: participants could guess a shorter one, and "
                f"regenerate the models that they are compared with. A random one: SEED={drawn}"
            )
        rows_by = backend_of(backend, "", address, share)
        (pools,) = pools_of(task, data, None, device, (seed,), store, workers, rows_by, None, forget)
        folder = out or MADE / "hosting" / kind.value
        check_place(folder, ("README.md",))
        if kind is Kind.kaggle:
            # A task that does not suit it shows before hours of work.
            kaggle.importable(pools.task)
        competition = competition_of(task, forget, pools, models, accept.value)
        if kind is Kind.codabench:
            files = codabench.files_for(competition, data_of(task, data))
        else:
            files = kaggle.files_for(competition)
        for name in sorted({str(Path(name).parent) for name in files}):
            some = {Path(path).name: content for path, content in files.items() if str(Path(path).parent) == name}
            write_together(folder / name, some)
        if upload:
            client = connect(Patience())
            say(kaggle_upload.create(folder, upload, client, Patience(), messages.print))
        say(f"See {quoted(folder)}/README.md for the remaining steps.")


COMMANDS: dict[str, Callable] = {"host": host_command}
