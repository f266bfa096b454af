"""What a value on the command line must look like, whatever it is for, and how a wrong one is refused."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperGroup

from starter_kit.errors import quoted


class BadOption(typer.BadParameter):
    """The value of an option is refused. What the message quotes is escaped and cut already."""


class Group(TyperGroup):
    """The program. What it says of an option that it does not know is escaped and cut as any text from outside."""

    def make_context(self, *given: Any, **options: Any) -> Any:
        """Read the program's own options."""
        with _quoting():
            return super().make_context(*given, **options)

    def invoke(self, context: Any) -> Any:
        """Read a command's options, and run it."""
        with _quoting():
            return super().invoke(context)


@contextmanager
def _quoting() -> Iterator[None]:
    try:
        yield
    except Exception as error:
        # The library's own errors have a message that it prints; each is a sentence about a single word.
        if hasattr(error, "format_message") and hasattr(error, "message") and not isinstance(error, BadOption):
            error.message = quoted(error.message)
        raise


def whole_number(text: object, least: int, most: int) -> int:
    """The number from ``least`` to ``most`` that a text says in the digits 0 to 9.

    Raises:
        BadOption: it says something else.
    """
    written = str(text)
    # Python also reads "1_000", " 8" and the digits of other scripts, and refuses more than 4300 digits in its own way.
    if not re.fullmatch("0*[0-9]{1,20}", written) or not least <= int(written[-20:]) <= most:
        raise BadOption(f"expected a whole number from {least} to {most}, found '{quoted(written)}'")
    return int(written[-20:])


def a_folder(text: object) -> Path:
    """The path of a folder, which need not exist.

    Raises:
        BadOption: the name is empty or impossible, or something else has it.
    """
    path = a_path(text)
    if path.exists() and not path.is_dir():
        raise BadOption(f"expected a folder, found the file {quoted(path)}. Name another.")
    return path


def a_path(text: object) -> Path:
    """A path that a file or a folder can have.

    Raises:
        BadOption: the name is empty or too long, or what it leads through cannot be read.
    """
    written = str(text)
    if not written:
        raise BadOption("expected a path, found an empty string. Omit the option, or give a path.")
    try:
        Path(written).stat()
    except (FileNotFoundError, NotADirectoryError):
        pass
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise BadOption(f"cannot use the path {quoted(written)}: {reason}.") from error
    return Path(written)
