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
            "--from", parser=a_path, show_default="the template", help="The notebook or Python file to extract it from."
        ),
    ] = None,
) -> None:
    """Start submissions/NAME.py from the template, or from a notebook.

    From a notebook, it copies the function unlearning and everything that it needs: imports, helpers, constants. It
    lists what it left out, and undefined names.
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
        say(f"Copied from {quoted(origin)}: {', '.join(taken.took)}.")
        if taken.left:
            say("Left out:")
            for line in taken.left[:MOST_LINES]:
                say(f"    {quoted(line, LONGEST_LINE)}")
            if len(taken.left) > MOST_LINES:
                say(f"    and {len(taken.left) - MOST_LINES} more")
        warn(f"The file uses {quoted(one)}, but nothing defines it." for one in taken.unresolved)
        warn(f"This line needs a GPU: {quoted(one)}" for one in taken.hard_wired)
        warn(f"This line uses the device before the network is known: {quoted(one)}" for one in taken.too_early)
        say(f"Wrote {path}. Try it: make score SUBMISSION={path} MODELS=16")


MOST_LINES, LONGEST_LINE = 20, 100
"""How many lines that were left behind are shown, and how many characters of each."""

COMMANDS: dict[str, Callable] = {"new": new_command}
