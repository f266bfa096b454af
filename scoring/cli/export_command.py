"""The command that writes a task as the competition's input: export."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from scoring.cli.console import reporting_errors, say
from scoring.cli.options import MADE, Data, Device, Seed, StartModel, Store, TaskName
from scoring.cli.pools import backend_of, pools_of
from scoring.cli.score_commands import INTERRUPTED
from scoring.cli.values import a_path
from starter_kit.errors import InputError, MachineError, quoted


def export_command(
    task: TaskName = "faces",
    data: Data = None,
    model: StartModel = None,
    device: Device = "",
    seed: Seed = 0,
    out: Annotated[
        Path | None,
        typer.Option("--out", parser=a_path, show_default="out/exports/TASK", help="The folder to write."),
    ] = None,
    store: Store = MADE / "store",
) -> None:
    """Export a task in the format of the competition's input folder, with the original model.

    The folder holds all that a notebook for the competition reads: retain.csv, forget.csv, validation.csv,
    images/A/B.png, original_model.pth and age_class_weights.json. The test set is left out.
    """
    from scoring.reports.place import check_place
    from starter_kit.competition import input_folder

    with reporting_errors(INTERRUPTED):
        (pools,) = pools_of(task, data, model, device, (seed,), store, None, backend_of("serial"))
        folder = out or MADE / "exports" / pools.task.label
        check_place(folder, ())
        try:
            input_folder.write(folder, pools.task.sets, pools.original.weights)
        except ValueError as error:
            raise InputError(f"The task {quoted(task)} does not fit the competition's layout: {error}.") from error
        except OSError as error:
            raise MachineError(
                f"Cannot write {quoted(error.filename)}: {error.strerror}. Name another folder."
            ) from error
        say(quoted(folder))


COMMANDS: dict[str, Callable] = {"export": export_command}
