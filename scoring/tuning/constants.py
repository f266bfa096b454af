"""The constants of a submission that can be tuned, and its text with others in their place."""

import ast
import re
from collections.abc import Iterator, Mapping
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
        place: where the value stands in the file: first line, first column, last line, column after the last. Lines
            count from 1, columns from 0 and in bytes.
    """

    name: str
    value: Number
    low: Number
    high: Number
    place: tuple[int, int, int, int]

    @property
    def whole(self) -> bool:
        """Whether only whole numbers are to be tried."""
        return isinstance(self.value, int)

    @property
    def log(self) -> bool:
        """Whether to search by order of magnitude."""
        return self.low > 0

    def rounded(self, value: Number) -> Number:
        """A value of the search as it is tried and written: readable, and within the bounds."""
        if self.whole:
            return int(value)
        return min(max(float(f"{value:.{DIGITS}g}"), self.low), self.high)


def constants_of(submission: Submission) -> tuple[Constant, ...]:
    """What can be tuned: the constants in ``RANGES``; without it, every positive number named in upper case.

    Raises:
        SubmissionError: there is none, or ``RANGES`` is not what it must be.
    """
    tree = parsed(submission.path, submission.source)
    numbers = dict(_numbers(tree))
    ranges = _ranges(submission, tree)
    if ranges is None:
        bounds = {name: _around(value) for name, (value, _) in numbers.items() if value > 0}
    else:
        bounds = {name: _checked(submission, name, pair, numbers) for name, pair in ranges.items()}
    if not bounds:
        raise SubmissionError(
            f"{quoted(submission.path)} has no constants to tune. Expected positive numbers at its top with names in "
            "upper case, as in LEARNING_RATE = 0.01."
        )
    return tuple(Constant(name, numbers[name][0], *pair, numbers[name][1]) for name, pair in bounds.items())


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
    for constant in sorted(found, key=lambda one: one.place, reverse=True):
        first, begin, last, end = constant.place
        # The tree counts columns in bytes.
        before, after = lines[first - 1].encode()[:begin].decode(), lines[last - 1].encode()[end:].decode()
        lines[first - 1 : last] = [f"{before}{values[constant.name]!r}{after}"]
    if remark:
        lines.insert(min(constant.place[0] for constant in found) - 1, f"# {remark}")
    return Submission(submission.path, "\n".join(lines))


def _numbers(tree: ast.Module) -> Iterator[tuple[str, tuple[Number, tuple[int, int, int, int]]]]:
    """Numbers that are assigned to a name in upper case at the top of a file, with their places."""
    for node in tree.body:
        match node:
            case (
                ast.Assign(targets=[ast.Name(id=name)], value=value)
                | ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value)
            ):
                number = _literal(value)
                if re.fullmatch("[A-Z][A-Z0-9_]*", name) and type(number) in (int, float):
                    assert value.end_lineno is not None
                    assert value.end_col_offset is not None
                    yield name, (number, (value.lineno, value.col_offset, value.end_lineno, value.end_col_offset))


def _ranges(submission: Submission, tree: ast.Module) -> dict[str, Any] | None:
    """The content of ``RANGES``; None if the file has none."""
    for node in tree.body:
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=value) if name == RANGES:
                found = _literal(value)
                if isinstance(found, dict) and found:
                    return found
                raise SubmissionError(
                    f"{quoted(submission.path)}, line {node.lineno}: expected {RANGES} as a dictionary of literal "
                    f'bounds by name, as in {RANGES} = {{"LEARNING_RATE": (0.001, 0.1)}}.'
                )
    return None


def _checked(
    submission: Submission, name: object, pair: object, numbers: Mapping[str, tuple[Number, Any]]
) -> tuple[Number, Number]:
    """The bounds of one constant, of the type of its value."""
    shown, where = quoted(str(name)), quoted(submission.path)
    if name not in numbers:
        raise SubmissionError(
            f"{where}: {RANGES} names {shown}, which is not a number at the top of the file. It has "
            f"{', '.join(numbers) or 'none'}."
        )
    value = numbers[str(name)][0]
    match pair:
        case (int() | float() as low, int() | float() as high) if low < high and low <= value <= high:
            if isinstance(value, float) or (isinstance(low, int) and isinstance(high, int)):
                return low, high
    raise SubmissionError(
        f"{where}: {RANGES}: expected two bounds around the value of {shown}, {value}"
        f"{', both whole numbers' if isinstance(value, int) else ''}; found {quoted(repr(pair))}."
    )


def _around(value: Number) -> tuple[Number, Number]:
    """Bounds around a value above zero. A value below 1 may be a share, so its upper bound is at most 1."""
    if isinstance(value, int):
        return max(1, value // FACTOR), FACTOR * value
    return value / FACTOR, min(FACTOR * value, 1.0) if value < 1 else FACTOR * value


def _literal(node: ast.expr) -> Any:
    """The value of a literal; None for anything else."""
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return None
