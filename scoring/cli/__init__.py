"""The command line: one program, ``unlearning-kit``, with a command per verb of the Makefile."""

from scoring.cli.app import app

__all__ = ["app", "main"]


def main() -> None:
    """Run the program."""
    app(prog_name="unlearning-kit")
