"""The program and its commands, in the order of its help."""

import typer

from scoring.cli import (
    bank_command,
    compare_commands,
    export_command,
    host_command,
    kaggle_commands,
    new_command,
    page_commands,
    score_commands,
    tune_command,
)
from scoring.cli.values import Group

app = typer.Typer(
    cls=Group,
    help="Score machine unlearning by the rules of the NeurIPS 2023 Machine Unlearning Challenge.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)
MODULES = (
    new_command,
    score_commands,
    compare_commands,
    tune_command,
    page_commands,
    bank_command,
    host_command,
    export_command,
    kaggle_commands,
)
for module in MODULES:
    for name, command in module.COMMANDS.items():
        app.command(name)(command)
