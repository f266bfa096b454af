"""The command that starts a submission: new."""

from collections.abc import Callable
from typing import Annotated

import typer

from scoring.cli.console import reporting_errors, say
from starter_kit.new import new


def new_command(
    name: Annotated[str, typer.Argument(help="The submission's name: letters, digits, underscores.")],
) -> None:
    """Copy the template to submissions/NAME.py."""
    with reporting_errors("Stopped."):
        path = new(name)
        say(f"Wrote {path}. Edit it, then run: make score SUBMISSION={path}")


COMMANDS: dict[str, Callable] = {"new": new_command}
