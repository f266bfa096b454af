"""The options that commands share, and the checks that come before any work.

The commands import what they need when they run: torch alone takes seconds, which no help text should cost.
"""

import re
from pathlib import Path
from typing import Annotated

import typer

from scoring.cli.values import BadOption, a_folder, a_path, whole_number
from scoring.judging.interval import FEWEST_MODELS as FEWEST_OF_BANK
from scoring.judging.score import OFFICIAL_MODELS
from starter_kit.errors import quoted

FEWEST_MODELS = 8
MOST_MODELS = 65_536
MOST_WORKERS = 1024
MOST_FORGOTTEN = 10**9
MOST_TRIALS = 10_000

NO_BANK = "none"
"""Instead of a bank's path: train everything here."""

LARGEST_SEED = 2**63 - 1
"""The largest whole number that every reader of a report can hold."""

MADE = Path("out")
"""The folder of everything that the kit makes."""

REPORTS = MADE / "reports"
"""The folder of all reports."""


def _models(text: object) -> int:
    if str(text) in map(str, range(FEWEST_MODELS)):
        raise BadOption(
            f"expected at least {FEWEST_MODELS} models, found {text}. With fewer, epsilon is meaningless. The "
            f"challenge used {OFFICIAL_MODELS}; use 64 for a quick look."
        )
    return whole_number(text, FEWEST_MODELS, MOST_MODELS)


def _models_of_bank(text: object) -> int:
    return whole_number(text, FEWEST_OF_BANK, MOST_MODELS)


def whole_seed(text: object) -> int:
    """A seed from a text."""
    return whole_number(text, 0, LARGEST_SEED)


def _seeds(text: object) -> tuple[int, ...]:
    seeds = tuple(map(whole_seed, str(text).split(",")))
    if len(set(seeds)) < len(seeds):
        raise BadOption(f"expected different seeds, found '{quoted(str(text))}'")
    return seeds


def _trials(text: object) -> int:
    return whole_number(text, 1, MOST_TRIALS)


def _request(text: object) -> int:
    return whole_number(text, 1, MOST_FORGOTTEN)


def _workers(text: object) -> int:
    return whole_number(text, 1, MOST_WORKERS)


def _backend(name: str) -> str:
    from scoring.running import fork_server

    if name == "processes":
        fork_server.start_early()
    from scoring.running import backends

    if name not in backends.names():
        raise BadOption(f"expected one of {', '.join(backends.names())}, found '{quoted(name)}'")
    return name


def _sandbox(name: str) -> str:
    if name not in ("", "bwrap"):
        raise BadOption(f"expected bwrap, found '{quoted(name)}'")
    return name


def _device(name: str) -> str:
    from scoring.running.machines import unavailable

    # Others exist, but hold no values (meta), or are another name of cpu, whose rows would be made twice.
    if name and not re.fullmatch(r"cpu|mps|cuda(:(0|[1-9][0-9]?))?", name, re.ASCII):
        raise BadOption(unavailable(name))
    return name


def _share(text: object) -> float:
    try:
        share = float(str(text))
    except ValueError:
        share = 0.0
    if not 0 < share <= 1:
        raise BadOption(f"expected a number above 0 and up to 1, found '{quoted(str(text))}'")
    return share


Submission = Annotated[
    Path,
    typer.Argument(parser=a_path, help="The file with your unlearning function."),
]
TaskName = Annotated[
    str, typer.Option("--task", help="A task in starter_kit/tasks. Some take a size, as in faces:600.")
]
Data = Annotated[
    Path | None,
    typer.Option(
        "--data",
        parser=a_folder,
        show_default="out/data/TASK",
        help="The folder of the task's data set.",
    ),
]
StartModel = Annotated[
    str | None,
    typer.Option(
        "--model",
        show_default="the task's own",
        help="The language model that the task starts from: its name on the Hugging Face hub, or its folder.",
    ),
]
Models = Annotated[
    int,
    typer.Option(
        "--models",
        parser=_models,
        help=f"Models per pool (minimum {FEWEST_MODELS}). {OFFICIAL_MODELS} for official scores.",
    ),
]
ModelsOfBank = Annotated[
    int,
    typer.Option(
        "--models", parser=_models_of_bank, help=f"Models per pool (minimum {FEWEST_OF_BANK}, for intervals)."
    ),
]
Device = Annotated[
    str,
    typer.Option(
        "--device",
        callback=_device,
        show_default="cuda if available, else cpu",
        help="cpu, cuda, cuda:1, mps. Only cpu is bit-reproducible across machines (with the same kind of CPU); mps "
        "trains one model at a time.",
    ),
]
Seed = Annotated[
    int,
    typer.Option("--seed", parser=whole_seed, help="The run's seed. Every other seed follows from it."),
]
Seeds = Annotated[
    tuple | None,
    typer.Option(
        "--seeds",
        parser=_seeds,
        metavar="<ints>",
        show_default="that of SEED",
        help="Several seeds, as in 0,1,2: each has its own original and pools; reports the mean as well.",
    ),
]
Columns = Annotated[
    list | None,
    typer.Option(
        "--columns",
        parser=lambda text: str(text).split(","),
        metavar="<names>",
        show_default="retain,forget,test,epsilon,time",
        help="The table's columns, as in retain,u_lira,klom. An unknown name lists all that exist.",
    ),
]
Trials = Annotated[
    int, typer.Option("--trials", parser=_trials, help="Choices of constants to try, the file's own among them.")
]
Forget = Annotated[
    int | None,
    typer.Option(
        "--forget",
        parser=_request,
        show_default="all",
        help="Forget only this many of the person's examples, from the first on; the rest stay in the retain set.",
    ),
]
Out = Annotated[
    Path | None,
    typer.Option("--out", parser=a_path, show_default="in out/reports", help="The folder for the report."),
]
Store = Annotated[
    Path,
    typer.Option("--store", parser=a_folder, help="The folder that stores the answers of finished models."),
]
Workers = Annotated[
    int | None,
    typer.Option(
        "--workers",
        parser=_workers,
        show_default="one per core; on a GPU, as many as speed it up",
        help="Models trained or unlearned in parallel.",
    ),
]
Limit = Annotated[
    float | None,
    typer.Option(
        "--limit",
        min=1,
        show_default="3 x the training time of the original model, at least 60",
        help="Seconds that one run of the submission may take.",
    ),
]
BackendName = Annotated[
    str,
    typer.Option(
        "--backend",
        callback=_backend,
        # Before the device, whose check imports torch: that takes seconds, and two processes can do it at once.
        is_eager=True,
        help="processes, serial or ray. serial runs everything in this process, where print and a debugger work; ray "
        "uses the machines of a cluster.",
    ),
]


SandboxName = Annotated[
    str,
    typer.Option(
        "--sandbox",
        callback=_sandbox,
        show_default="Landlock alone, where the system has it",
        help="bwrap runs the submission in bubblewrap. Use it for code from people you do not know.",
    ),
]
Address = Annotated[
    str,
    typer.Option(
        "--address",
        metavar="<host:port>",
        help="The address of a running Ray cluster, for BACKEND=ray. Without it, one starts on this machine.",
    ),
]
Share = Annotated[
    float | None,
    typer.Option(
        "--share",
        parser=_share,
        metavar="<number>",
        show_default="1",
        help="The fraction of a GPU per worker with BACKEND=ray: 0.25 puts four workers on each GPU.",
    ),
]
BankOption = Annotated[
    str | None,
    typer.Option(
        "--bank",
        metavar="<path>",
        show_default="the kit's bank, if it has one for the task",
        help="Load the original and the retrained models from this file, which `make bank` wrote. none trains "
        "them here.",
    ),
]
