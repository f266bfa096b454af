"""A submission's file as Python reads it: its text and its syntax tree. Nothing here executes the file."""

import ast
import io
import tokenize
import warnings
from difflib import get_close_matches
from pathlib import Path

from starter_kit.errors import SubmissionError, quoted

MOST_BYTES = 1_000_000
"""Of a file. Kaggle's own limit for a notebook is about that."""

UTF_8 = {"utf-8", "utf-8-sig", "ascii"}
"""Encodings of which UTF-8 is another name or a superset, as Python calls them."""


def read(path: Path) -> str:
    """The text of a file: without a byte order mark, and with ``\\n`` at the end of each line.

    Raises:
        SubmissionError: there is no such file, its name cannot stand in a report, or it is not UTF-8.
    """
    try:
        if not path.is_file():
            raise SubmissionError(_no_file(path))
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise SubmissionError(f"Cannot read {quoted(path)}: {error.strerror}.") from error
    _check_name(path)
    if len(content) > MOST_BYTES:
        raise SubmissionError(
            f"{quoted(path)} is larger than {MOST_BYTES:,} bytes, which Kaggle would not take as a notebook. A "
            "submission holds source, and no weights."
        )
    return io.StringIO(_decoded(path, content), newline=None).read()


def _check_name(path: Path) -> None:
    """Refuse a name that a report's text or a folder cannot have."""
    try:
        path.stem.encode()
    except UnicodeEncodeError as error:
        raise SubmissionError(f"{quoted(path)}: expected a file name in UTF-8. Rename the file.") from error
    if not path.stem.strip("."):
        raise SubmissionError(f"{quoted(path)}: expected a name before .py. Rename the file.")


def _decoded(path: Path, content: bytes) -> str:
    """The text of a file in UTF-8.

    A file that declares another encoding is refused although Python reads it: in the notebook for Kaggle the same text
    is UTF-8, and the declaration would be wrong.
    """
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(content).readline)
        declared = "" if encoding in UTF_8 else f"declared encoding: {encoding}"
    except SyntaxError as error:
        # It is unknown, or contradicts a byte order mark.
        declared = error.msg
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise SubmissionError(
            f"{quoted(path)} is not a text file in UTF-8: line {line} holds the byte 0x{content[error.start]:02x}, "
            f"{error.reason}. Save it as UTF-8."
        ) from error
    if declared:
        raise SubmissionError(f"{quoted(path)}: {quoted(declared)}. Save it as UTF-8, and remove the declaration.")
    return text


def _no_file(path: Path) -> str:
    """What to say where there is no file, with the file that was probably meant."""
    if path.is_dir():
        return f"{quoted(path)} is a folder. `make compare` ranks all submissions; `make score` takes one file."
    in_its_folder = Path("submissions") / f"{path.stem}.py"
    if in_its_folder.is_file():
        return f"There is no submission file {quoted(path)}. Did you mean {quoted(in_its_folder)}?"
    found = {file.stem: file for file in path.parent.glob("[!_]*.py")}
    near = get_close_matches(path.stem, found, n=1)
    hint = f"Did you mean {quoted(found[near[0]])}?" if near else "`make new NAME=mine` creates submissions/mine.py."
    return f"There is no submission file {quoted(path)}. {hint}"


def parsed(path: Path, source: str) -> ast.Module:
    """The syntax tree of a file.

    Raises:
        SubmissionError: it is not Python, with the line.
    """
    shown = quoted(path)
    if "\0" in source:
        line = source.count("\n", 0, source.index("\0")) + 1
        raise SubmissionError(f"{shown}, line {line}: contains a NUL character, which no Python source may. Delete it.")
    try:
        with warnings.catch_warnings():
            # Running the file warns in its own time.
            warnings.simplefilter("ignore")
            return ast.parse(source)
    except SyntaxError as error:
        where = f", line {error.lineno}" if error.lineno else ""
        text = f"\n    {quoted(error.text.strip())}" if error.text else ""
        raise SubmissionError(f"{shown}{where}: {quoted(error.msg)}{text}") from error
    except (RecursionError, MemoryError) as error:
        raise SubmissionError(
            f"{shown}: expressions are nested too deeply for Python to read. Build them in several steps."
        ) from error
    except ValueError as error:
        raise SubmissionError(f"{shown} is not Python source: {quoted(error)}.") from error
