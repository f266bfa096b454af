"""The constants of a submission that can be tuned, and its text with others in their place."""

import ast
import math
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from scoring.untrusted.submission import Submission
from starter_kit.errors import SubmissionError, quoted
from starter_kit.source import parsed

FACTOR = 30
"""Without ``RANGES``, a constant is searched from a thirtieth of its value to thirty times its value."""

RANGES = "RANGES"
DIGITS = 3
"""Significant digits of a constant that was found. More would not change a score, and nobody could read them."""

Number = int | float


@dataclass(frozen=True)
class Constant:
    """A number that a submission names at its top, and where to look for a better one.

    Attributes:
        name: in upper case.
        value: a whole number if only whole numbers are to be tried.
        low, high: the bounds of the search, both included.
        written: where the file says so.
    """

    name: str
    value: Number
    low: Number
    high: Number
    written: "Written"

    @property
    def whole(self) -> bool:
        """Whether only whole numbers are to be tried."""
        return isinstance(self.value, int)

    @property
    def log(self) -> bool:
        """Whether to search by order of magnitude."""
        return self.low > 0

    def rounded(self, value: Number) -> Number:
        """A value of the search as it is tried and written: readable, within the bounds; the file's own as it is."""
        if self.whole:
            return int(value)
        if value in (self.value, self.low, self.high):
            return value
        readable = (float(f"{value:.{digits}g}") for digits in range(DIGITS, 18))
        return next(one for one in readable if self.low < one < self.high)


@dataclass(frozen=True)
class Written:
    """A number in a file.

    Attributes:
        value: the number.
        statement: the line where its statement begins, from 1.
        place: of the number itself, lines from 1 and columns in bytes from 0: first line, first column, last line,
            column after the last.
    """

    value: Number
    statement: int
    place: tuple[int, int, int, int]


def constants_of(submission: Submission) -> tuple[Constant, ...]:
    """What can be tuned: the constants in ``RANGES``; without it, every positive number named in upper case.

    Raises:
        SubmissionError: there is none, or ``RANGES`` is not what it must be.
    """
    tree = parsed(submission.path, submission.source)
    numbers = _numbers(tree)
    ranges = _ranges(submission, tree)
    if ranges is None:
        bounds = {name: pair for name, one in numbers.items() if (pair := _around(one.value))}
    else:
        bounds = {name: _checked(submission, name, pair, numbers) for name, pair in ranges.items()}
    if not bounds:
        raise SubmissionError(
            f"{quoted(submission.path)} has no constants to tune. Expected positive numbers at its top with names in "
            "upper case, as in LEARNING_RATE = 0.01, that the file does not change later."
        )
    return tuple(Constant(name, numbers[name].value, *pair, numbers[name]) for name, pair in bounds.items())


def with_constants(submission: Submission, values: Mapping[str, Number], remark: str = "") -> Submission:
    """The submission with other values of its constants.

    Args:
        submission: the submission.
        values: new values by name, for some of ``constants_of``.
        remark: a comment to stand above the first of these constants.
    """
    lines = submission.source.split("\n")
    found = [one for one in constants_of(submission) if one.name in values]
    # From the last to the first, so that no replacement moves another one.
    for constant in sorted(found, key=lambda one: one.written.place, reverse=True):
        first, begin, last, end = constant.written.place
        before, after = lines[first - 1].encode()[:begin].decode(), lines[last - 1].encode()[end:].decode()
        lines[first - 1 : last] = [f"{before}{values[constant.name]!r}{after}"]
    if remark:
        lines.insert(min(constant.written.statement for constant in found) - 1, f"# {remark}")
    return Submission(submission.path, "\n".join(lines))


def _numbers(tree: ast.Module) -> dict[str, Written]:
    """Finite numbers that are assigned to a name in upper case at the top of a file, and to that name only once."""
    changes = Counter(
        node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load)
    )
    found = {}
    for node in tree.body:
        match node:
            case (
                ast.Assign(targets=[ast.Name(id=name)], value=value)
                | ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value)
            ) if re.fullmatch("[A-Z][A-Z0-9_]*", name) and changes[name] == 1:
                number = _literal(value)
                if type(number) in (int, float) and math.isfinite(number):
                    assert value.end_lineno is not None
                    assert value.end_col_offset is not None
                    place = value.lineno, value.col_offset, value.end_lineno, value.end_col_offset
                    found[name] = Written(number, node.lineno, place)
    return found


def _ranges(submission: Submission, tree: ast.Module) -> dict[str, Any] | None:
    """The content of ``RANGES``; None if the file has none."""
    named = [node for node in ast.walk(tree) if isinstance(node, ast.Name) and node.id == RANGES]
    if not named:
        return None
    for node in tree.body:
        match node:
            case (
                ast.Assign(targets=[ast.Name(id="RANGES")], value=value)
                | ast.AnnAssign(target=ast.Name(id="RANGES"), value=ast.expr() as value)
            ) if len(named) == 1:
                found = _literal(value)
                if isinstance(found, dict) and found:
                    return found
    raise SubmissionError(
        f"{quoted(submission.path)}, line {named[0].lineno}: expected {RANGES} once, at the top of the file, as a "
        f'dictionary of literal bounds by name, as in {RANGES} = {{"LEARNING_RATE": (0.001, 0.1)}}.'
    )


def _checked(
    submission: Submission, name: object, pair: object, numbers: Mapping[str, Written]
) -> tuple[Number, Number]:
    """The bounds of one constant, of the type of its value."""
    shown, where = quoted(str(name)), quoted(submission.path)
    if name not in numbers:
        raise SubmissionError(
            f"{where}: {RANGES} names {shown}, which is not a number at the top of the file, or is changed later. "
            f"Allowed names: {', '.join(numbers) or 'none'}."
        )
    value = numbers[str(name)].value
    match pair:
        case (int() | float() as low, int() | float() as high) if low <= value <= high and low < high:
            kinds = {type(low), type(high)}
            if kinds <= {int} or (kinds <= {int, float} and isinstance(value, float) and math.isfinite(high - low)):
                return low, high
    raise SubmissionError(
        f"{where}: {RANGES}: expected two bounds around the value of {shown}, {value}"
        f"{', both integers' if isinstance(value, int) else ''}; found {quoted(repr(pair))}."
    )


def _around(value: Number) -> tuple[Number, Number] | None:
    """Bounds around a value above zero; None for others. A value below 1 may be a fraction, so it stays at most 1."""
    if value <= 0 or not math.isfinite(FACTOR * value):
        return None
    if isinstance(value, int):
        return max(1, value // FACTOR), FACTOR * value
    return value / FACTOR, min(FACTOR * value, 1.0) if value < 1 else FACTOR * value


def _literal(node: ast.expr) -> Any:
    """The value of a literal; None for anything else."""
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return None
