"""The command line: one program, ``unlearning-kit``, with a command per verb of the Makefile."""

import signal

from scoring.cli.app import app
from scoring.untrusted.processes import adopt_orphans

__all__ = ["app", "main"]


def main() -> None:
    """Run the program. What ends it politely ends it as Ctrl-C does, so that nothing is left behind."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    adopt_orphans()
    app(prog_name="unlearning-kit")
