"""The command that starts a submission: new."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from scoring.cli.console import reporting_errors, say, warn
from scoring.cli.values import a_path
from starter_kit.contract import check
from starter_kit.errors import quoted
from starter_kit.new import SUBMISSIONS, new


def new_command(
    name: Annotated[str, typer.Argument(help="The submission's name: letters, digits, underscores.")],
    origin: Annotated[
        Path | None,
        typer.Option(
            "--from", parser=a_path, show_default="the template", help="A notebook or Python file to take it from."
        ),
    ] = None,
) -> None:
    """Start submissions/NAME.py from the template, or from a notebook.

    From a notebook it takes the function unlearning and what that needs: imports, helpers, constants. It says what it
    left behind, and what nothing defines.
    """
    with reporting_errors("Stopped."):
        if origin is None:
            path = new(name)
            say(f"Wrote {path}. Edit it, then run: make score SUBMISSION={path}")
            return
        from starter_kit.from_notebook import take

        taken = take(origin)
        check(SUBMISSIONS / f"{name}.py", taken.source)
        path = new(name, source=taken.source)
        say(f"Took from {quoted(origin)}: {', '.join(taken.took)}.")
        if taken.left:
            say("Left behind:")
            for line in taken.left[:MOST_LINES]:
                say(f"    {quoted(line, LONGEST_LINE)}")
            if len(taken.left) > MOST_LINES:
                say(f"    and {len(taken.left) - MOST_LINES} more")
        warn(f"Nothing defines {quoted(one)}, which the file uses." for one in taken.unresolved)
        warn(f"A GPU is hard-wired, which fails without one: {quoted(one)}" for one in taken.hard_wired)
        warn(f"It asks for the device before there is a network: {quoted(one)}" for one in taken.too_early)
        say(f"Wrote {path}. Try it: make score SUBMISSION={path} MODELS=8 BACKEND=serial")


MOST_LINES, LONGEST_LINE = 20, 100
"""How many lines that were left behind are shown, and how many characters of each."""

COMMANDS: dict[str, Callable] = {"new": new_command}
