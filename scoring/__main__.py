"""The command line: ``python -m scoring``."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from scoring import backends, comparison, rehearsal, report, run
from scoring.errors import InputError, KitError, MachineError
from scoring.jobs.setting import Setting
from scoring.jobs.training import weights_in
from scoring.options import FEWEST_MODELS, BackendName, Data, Device, Models, Out, Seed, Store, TaskName, Workers
from scoring.outputs import Outputs
from scoring.pools import Pools
from scoring.progress import Progress
from scoring.score import OFFICIAL_MODELS, score
from starter_kit import competition_folder, tasks

MADE = Path("out")
"""Everything that is made goes in here, unless it is told otherwise."""

app = typer.Typer(
    help="Score machine unlearning by the rules of the NeurIPS 2023 Machine Unlearning Challenge.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)
messages = Console(stderr=True)
results = Console()


@app.command("score")
def score_command(
    submission: Annotated[Path, typer.Argument(help="The file with your unlearning function.")] = Path(
        "submissions/finetune.py"
    ),
    task: TaskName = "digits",
    data: Data = None,
    models: Models = OFFICIAL_MODELS,
    device: Device = "",
    seed: Seed = 0,
    out: Out = None,
    store: Store = MADE / "store",
    workers: Workers = None,
    backend: BackendName = "processes",
    checkpoints: Annotated[
        Path | None, typer.Option("--checkpoints", help="Score this zip or folder of checkpoints instead.")
    ] = None,
) -> None:
    """Score one submission, or the checkpoints that one left elsewhere.

    Trains the original model, the retrained pool and a second one for the ceiling, unless they are there already;
    runs the submission on as many copies of the original; attacks, scores, and writes report.json, report.png
    and the judged outputs. It can be stopped at any moment: the same command goes on where it stopped.
    """
    with _telling_what_went_wrong():
        _check_place(out)
        pools = _pools(task, data, device, seed, store, workers, backend)
        result = run.run_checkpoints(checkpoints, pools, models) if checkpoints else run.run(submission, pools, models)
        _report(result, out or MADE / "reports" / task / result.submission.name)


@app.command("rehearse")
def rehearse_command(
    submission: Annotated[Path, typer.Argument(help="The file with your unlearning function.")],
    task: TaskName = "faces:600",
    data: Data = None,
    models: Models = FEWEST_MODELS,
    device: Device = "",
    seed: Seed = 0,
    out: Annotated[
        Path | None, typer.Option("--out", show_default="out/rehearsals/NAME", help="The folder for what it leaves.")
    ] = None,
    store: Store = MADE / "store",
    workers: Workers = None,
    backend: BackendName = "processes",
) -> None:
    """Run a submission's Kaggle notebook here as Kaggle would, and score the submission.zip that it writes."""
    with _telling_what_went_wrong():
        pools = _pools(task, data, device, seed, store, workers, backend)
        folder = out or MADE / "rehearsals" / submission.stem
        _report(rehearsal.rehearse(submission, pools, models, folder), folder / rehearsal.REPORT)


@app.command("compare")
def compare_command(
    submissions: Annotated[
        list[Path] | None, typer.Argument(show_default="all of submissions/", help="Submission files.")
    ] = None,
    task: TaskName = "digits",
    data: Data = None,
    models: Models = OFFICIAL_MODELS,
    device: Device = "",
    seed: Seed = 0,
    out: Annotated[
        Path | None,
        typer.Option("--out", show_default="out/reports/TASK/comparison", help="The folder the reports go to."),
    ] = None,
    store: Store = MADE / "store",
    workers: Workers = None,
    backend: BackendName = "processes",
) -> None:
    """Score several submissions and rank them.

    Writes comparison.json, comparison.png and a report a submission. One that fails takes its row with the
    reason, the others go on, and the exit code is 1.
    """
    with _telling_what_went_wrong():
        _check_place(out)
        paths = submissions or sorted(Path("submissions").glob("[!_]*.py"))
        pools = _pools(task, data, device, seed, store, workers, backend)
        compared = comparison.compare(paths, pools, models)
        folder = out or MADE / "reports" / task / "comparison"
        comparison.write(compared, folder)
        results.print(comparison.table(compared))
        _say_notes(_on_models(models) + comparison.notes(compared))
        results.print(f"{folder}/comparison.json and comparison.png", highlight=False, soft_wrap=True)
        for path, error in compared.failed.items():
            messages.print(f"\n{path.stem}: {error}", style="red", markup=False, highlight=False, soft_wrap=True)
        if compared.failed:
            raise typer.Exit(1)


@app.command("export")
def export_command(
    task: TaskName = "faces",
    data: Data = None,
    device: Device = "",
    seed: Seed = 0,
    out: Annotated[
        Path | None, typer.Option("--out", show_default="out/exports/TASK", help="The folder to be written.")
    ] = None,
    store: Store = MADE / "store",
) -> None:
    """Write a task as a folder in the layout of the competition's input, with the original model.

    All that a notebook for the competition reads is there: retain.csv, forget.csv, validation.csv, images/A/B.png,
    original_model.pth and age_class_weights.json. The test set is not.
    """
    with _telling_what_went_wrong():
        pools = _pools(task, data, device, seed, store, None, "serial")
        folder = out or MADE / "exports" / task
        try:
            competition_folder.write(folder, pools.task.sets, weights_in(pools.original()))
        except ValueError as error:
            raise InputError(f"The task {task} does not fit into the competition's layout: {error}.") from error
        except OSError as error:
            raise MachineError(f"Cannot write {error.filename}: {error.strerror}. Name another folder.") from error
        results.print(folder, highlight=False, soft_wrap=True)


@app.command("judge")
def judge_command(
    unlearned: Annotated[Path, typer.Argument(help="Saved outputs of the unlearned models, an .npz.")],
    retrained: Annotated[Path, typer.Argument(help="Saved outputs of as many retrained models.")],
) -> None:
    """Compute the score again from two files of saved outputs. Nothing is trained."""
    with _telling_what_went_wrong():
        try:
            pools = [Outputs.load(path) for path in (unlearned, retrained)]
            judged = run.Judged(pools[0], score(*pools))
        except OSError as error:
            raise InputError(
                f"Cannot read {error.filename}: {error.strerror}. `make score` writes unlearned.npz and "
                "retrained.npz beside its report.json."
            ) from error
        except ValueError as error:
            raise InputError(str(error)) from error
        results.print(report.judged_table(unlearned, judged))
        _say_notes(_on_models(len(pools[0])))


def _pools(
    task: str, data: Path | None, device: str, seed: int, store: Path, workers: int | None, backend: str
) -> Pools:
    """What the options describe."""
    try:
        loaded = tasks.load(task, data)
    except tasks.TaskError as error:
        raise InputError(str(error)) from error
    return Pools(
        Setting(loaded, device, seed),
        store,
        backends.load(backend),
        workers,
        Progress(messages),
    )


def _check_place(folder: Path | None) -> None:
    """Make the folder that a report shall go to, so that a mistake in its name does not show after hours of work."""
    try:
        if folder:
            folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"The report cannot go to {folder}: {error.strerror}. Name another folder with OUT=."
        ) from error


def _report(result: run.Result, folder: Path) -> None:
    """Write the report of a result, and show it."""
    report.write(result, folder)
    results.print(report.table(result))
    _say_notes(_on_models(len(result.reference.retrained)) + report.notes(result))
    results.print(f"{folder}/report.json and report.png", highlight=False, soft_wrap=True)


def _on_models(models: int) -> list[str]:
    """What has to be said of their number."""
    reason = report.not_comparable(models)
    return [f"Not comparable with official scores: {reason}."] if reason else []


def _say_notes(notes: list[str]) -> None:
    for note in notes:
        results.print(f"* {note}", style="yellow", highlight=False, markup=False, soft_wrap=True)


@contextmanager
def _telling_what_went_wrong() -> Iterator[None]:
    """Errors that a person can act on as a message and an exit code; any other is ours and shows its traceback."""
    try:
        yield
    except KitError as error:
        notes = getattr(error, "__notes__", [])
        messages.print("\n".join([str(error), *notes]), style="red", markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(1) from error
    except KeyboardInterrupt:
        messages.print("Stopped. What is finished is kept; the same command goes on from there.", style="yellow")
        raise typer.Exit(130) from None


if __name__ == "__main__":
    app(prog_name="python -m scoring")
