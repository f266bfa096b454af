"""Find, read and check a submission file."""

import ast
import hashlib
import inspect
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from types import ModuleType

from scoring.errors import SubmissionError

PARAMETERS = ("net", "retain", "forget", "val")
OFF_LIMITS = ("starter_kit", "scoring", "submissions", "tests")
"""Packages that are not there when the file runs on Kaggle, alone."""


@dataclass(frozen=True)
class Submission:
    """A submission as it was read: later edits of the file do not reach a run that has begun.

    Attributes:
        path: where it was.
        source: its text.
    """

    path: Path
    source: str

    @property
    def name(self) -> str:
        """The file's name without its ending."""
        return self.path.stem

    @property
    def sha256(self) -> str:
        """Of the source, in hexadecimal."""
        return hashlib.sha256(self.source.encode()).hexdigest()

    def execute(self) -> Callable:
        """Run the file in a new module and return its ``unlearning``.

        A new module each time, so that nothing that one run leaves in a global reaches the next.

        Raises:
            SubmissionError: the file cannot be run or has no fitting function.
        """
        module = ModuleType(f"submission_{self.name}")
        module.__file__ = str(self.path)
        # Data classes and pickling look a class's module up by its name.
        sys.modules[module.__name__] = module
        try:
            exec(compile(self.source, str(self.path), "exec"), module.__dict__)
        except SyntaxError as error:
            raise SubmissionError(
                f"{self.path}, line {error.lineno}: {error.msg}\n    {(error.text or '').strip()}"
            ) from error
        except ModuleNotFoundError as error:
            raise SubmissionError(
                f"{self.path} imports {error.name!r}, which is not installed here. A submission gets torch, "
                "torchvision, numpy and scipy; anything else has to be there on Kaggle too."
            ) from error
        except (Exception, SystemExit) as error:
            raise SubmissionError(f"{self.path} cannot be imported:\n{self.explain(error)}") from error
        return self._checked(getattr(module, "unlearning", None))

    def _checked(self, function: object) -> Callable:
        """The function, if it is one that takes the four arguments."""
        expected = f"unlearning({', '.join(PARAMETERS)})"
        if function is None:
            raise SubmissionError(f"{self.path} has no function {expected}. See starter_kit/template.py.")
        if not callable(function):
            raise SubmissionError(f"{self.path}: unlearning is no function but {type(function).__name__}.")
        signature = inspect.signature(function)
        try:
            signature.bind(*PARAMETERS)
        except TypeError as error:
            raise SubmissionError(
                f"{self.path}: expected {expected}, found unlearning{signature}: {error}. "
                "It is called with four arguments by position."
            ) from error
        return function

    def explain(self, error: BaseException) -> str:
        """An error's traceback from the submission's first line on, without the kit's own frames."""
        report = traceback.TracebackException.from_exception(error)
        ours = [at for at, frame in enumerate(report.stack) if frame.filename == str(self.path)]
        report.stack = traceback.StackSummary.from_list(report.stack[ours[0] :] if ours else report.stack)
        return "".join(report.format(chain=False)).rstrip()


def read(path: Path) -> Submission:
    """Read a submission file and check that it can be run.

    Raises:
        SubmissionError: there is no such file, it is no Python, it imports what a lone file cannot, it has no
            ``unlearning`` with four arguments, or running it fails.
    """
    if not path.is_file():
        if path.is_dir():
            raise SubmissionError(
                f"{path} is a folder. `make compare` ranks all submissions; `make score` takes one file."
            )
        in_its_place = Path("submissions") / f"{path.stem}.py"
        if in_its_place.is_file():
            raise SubmissionError(f"There is no submission file {path}. Did you mean {in_its_place}?")
        there = {file.stem: file for file in path.parent.glob("[!_]*.py")}
        near = get_close_matches(path.stem, there, n=1)
        hint = f"Did you mean {there[near[0]]}?" if near else "`make new NAME=mine` makes submissions/mine.py."
        raise SubmissionError(f"There is no submission file {path}. {hint}")
    try:
        submission = Submission(path, path.read_text(encoding="utf-8"))
    except UnicodeDecodeError as error:
        raise SubmissionError(f"{path} is not a text file in UTF-8: {error}") from error
    submission.execute()
    _check_self_contained(submission)
    return submission


def _check_self_contained(submission: Submission) -> None:
    """Refuse imports that would fail on Kaggle, and that could reach what judges."""
    for node in ast.walk(ast.parse(submission.source)):
        match node:
            case ast.Import():
                modules = [alias.name for alias in node.names]
            case ast.ImportFrom():
                modules = ["." * node.level + (node.module or "")]
            case _:
                continue
        for module in modules:
            if module.startswith(".") or module.split(".")[0] in OFF_LIMITS:
                raise SubmissionError(
                    f"{submission.path}, line {node.lineno}: a submission is uploaded as one file and cannot "
                    f"import {module!r}. Copy what it needs into it."
                )
