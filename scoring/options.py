"""The options that the commands share, and what is refused of them before anything is done."""

from pathlib import Path
from typing import Annotated

import torch
import typer

from scoring import backends
from scoring.score import OFFICIAL_MODELS

FEWEST_MODELS = 8


def _models(value: int) -> int:
    if value < FEWEST_MODELS:
        raise typer.BadParameter(
            f"expected at least {FEWEST_MODELS} models, found {value}. Fewer cannot show an epsilon; the "
            f"challenge's number is {OFFICIAL_MODELS}, and 64 make a quick look."
        )
    return value


def _backend(name: str) -> str:
    if name not in backends.names():
        raise typer.BadParameter(f"expected one of {', '.join(backends.names())}, found {name!r}")
    return name


def _device(name: str) -> str:
    name = name or ("cuda" if torch.cuda.is_available() else "cpu")
    try:
        torch.zeros(1, device=name)
    except (RuntimeError, AssertionError) as error:
        first_line = str(error).splitlines()[0]
        raise typer.BadParameter(f"{name!r} cannot be used here ({first_line}). cpu works everywhere.") from error
    return name


TaskName = Annotated[
    str, typer.Option("--task", help="A file of starter_kit/tasks; some take a size, as in faces:600.")
]
Data = Annotated[
    Path | None, typer.Option("--data", show_default="out/data/TASK", help="The folder of a data set that is read.")
]
Models = Annotated[
    int,
    typer.Option(
        "--models",
        callback=_models,
        help=f"Models a pool, {FEWEST_MODELS} or more; {OFFICIAL_MODELS} for official scores.",
    ),
]
Device = Annotated[
    str,
    typer.Option(
        "--device", callback=_device, show_default="cuda if there is one, else cpu", help="cpu, cuda, cuda:1, ..."
    ),
]
Seed = Annotated[int, typer.Option("--seed", min=0, help="The run's seed; all others are spawned from it.")]
Out = Annotated[
    Path | None,
    typer.Option("--out", show_default="out/reports/TASK/NAME", help="The folder the report goes to."),
]
Store = Annotated[Path, typer.Option("--store", help="The folder that finished models' answers are kept in.")]
Workers = Annotated[
    int | None,
    typer.Option("--workers", min=1, show_default="one a core; on a GPU as many as pay", help="Models made at a time."),
]
BackendName = Annotated[
    str,
    typer.Option(
        "--backend",
        callback=_backend,
        help="processes or serial; serial runs all in this process, where print and a debugger reach a submission.",
    ),
]
