"""The command that makes a competition: host."""

from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from scoring.cli.console import messages, reporting_errors, say
from scoring.cli.options import (
    MADE,
    Address,
    BackendName,
    Data,
    Device,
    Forget,
    Models,
    Seed,
    Share,
    Store,
    TaskName,
    Workers,
    backend_of,
    pools_of,
)
from scoring.cli.score_commands import INTERRUPTED
from scoring.cli.values import a_folder
from scoring.judging.score import OFFICIAL_MODELS
from starter_kit.errors import InputError, quoted


class Kind(StrEnum):
    """Where a competition takes place."""

    codabench = "codabench"
    kaggle = "kaggle"


class Accepts(StrEnum):
    """What participants submit."""

    code = "code"
    checkpoints = "checkpoints"


def host_command(
    kind: Annotated[Kind, typer.Option(help="Where it takes place.")],
    seed: Seed,
    task: TaskName = "digits",
    data: Data = None,
    forget: Forget = None,
    models: Models = OFFICIAL_MODELS,
    device: Device = "",
    accept: Annotated[
        Accepts, typer.Option(help="What participants submit on Codabench: a file with unlearning, or models.")
    ] = Accepts.code,
    out: Annotated[
        Path | None,
        typer.Option("--out", parser=a_folder, show_default="out/hosting/KIND", help="The folder to write."),
    ] = None,
    upload: Annotated[
        str | None,
        typer.Option(
            "--upload", metavar="<name>", help="With KIND=kaggle, also create the competition there, under this name."
        ),
    ] = None,
    store: Store = MADE / "store",
    workers: Workers = None,
    backend: BackendName = "processes",
    address: Address = "",
    share: Share = None,
) -> None:
    """Make a competition of your own: everything that its organiser uploads, and the steps that are left to do.

    Trains the original model and the retrained models, unless they are stored. Choose a SEED that nobody can guess:
    with it, everybody can make what submissions are held against.
    """
    from scoring.hosting import codabench, kaggle, kaggle_upload
    from scoring.hosting.make import competition_of, data_of
    from scoring.reports.place import check_place, write_together
    from starter_kit.kaggle.client import Patience, connect

    with reporting_errors(INTERRUPTED):
        if upload and kind is not Kind.kaggle:
            raise InputError("UPLOAD= is for KIND=kaggle. For Codabench, upload the zip on the site.")
        rows_by = backend_of(backend, "", address, share)
        (pools,) = pools_of(task, data, None, device, (seed,), store, workers, rows_by, None, forget)
        folder = out or MADE / "hosting" / kind.value
        check_place(folder, ("README.md",))
        if kind is Kind.kaggle:
            # A task that does not suit it shows before hours of work.
            kaggle.network_of(pools.task)
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
        say(f"{quoted(folder)}/README.md says what is left to do.")


COMMANDS: dict[str, Callable] = {"host": host_command}
