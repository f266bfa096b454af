"""The code cells of a notebook as Python."""

import ast
import re
from pathlib import Path

import nbformat

from starter_kit.errors import InputError, quoted
from starter_kit.source import parsed

TIMING = ("%%time", "%%timeit", "%%capture", "%%prun")
"""Magics of a cell whose code is Python."""

COMMAND = re.compile(r"\s*[%!?]|.*\?\s*$|\s*[\w.]+\s*=\s*[!%]")
"""A line that only a notebook understands."""

DAMAGED = (
    *(ValueError, TypeError, AttributeError, KeyError, RecursionError),
    *(nbformat.ValidationError, nbformat.reader.NotJSONError),
)
"""What nbformat raises for files that are no notebooks."""


def code_of(path: Path) -> str:
    """The code cells of a notebook as one text.

    Raises:
        InputError: it cannot be read, or is no notebook.
        SubmissionError: a cell is not Python; the message says which.
    """
    try:
        with path.open(encoding="utf-8") as file:
            notebook = nbformat.read(file, as_version=4)
        cells = [with_plain_ends(cell.source) for cell in notebook.cells if cell.cell_type == "code"]
    except OSError as error:
        raise InputError(f"Cannot read {quoted(path)}: {error.strerror}.") from error
    except DAMAGED as error:
        raise InputError(f"{quoted(path)} is not a notebook.") from error
    plain = [_plain(cell) for cell in cells]
    for number, cell in enumerate(plain, start=1):
        parsed(Path(f"{path} (code cell {number})"), cell)
    return "\n\n".join(plain)


def with_plain_ends(text: str) -> str:
    """A text whose lines all end alike."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _plain(cell: str) -> str:
    """A cell as Python: commands to the notebook become ``pass``, other languages are dropped.

    A line that begins with % or ! may also be part of an expression or of a string. So only cells that are not Python
    as they are get changed.
    """
    lines = cell.split("\n")
    if lines[0].startswith(TIMING):
        lines = lines[1:]
    elif lines[0].startswith("%%"):
        return ""
    if _is_python("\n".join(lines)):
        return "\n".join(lines)
    return "\n".join(f"{line[: len(line) - len(line.lstrip())]}pass" if COMMAND.match(line) else line for line in lines)


def _is_python(text: str) -> bool:
    try:
        ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True
