"""A submission file, and executing it. Only a process that judges nothing may do the latter."""

import hashlib
import linecache
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from starter_kit.contract import hooks_in, read_source, signature
from starter_kit.errors import SubmissionError
from starter_kit.extras import EXTRAS, how_to_install


@dataclass(frozen=True)
class Submission:
    """A submission as it was read. Later edits of the file do not affect a run that has begun.

    Attributes:
        path: where it was read.
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

    @property
    def learns(self) -> bool:
        """Whether it brings its own learning algorithm."""
        return "learning" in hooks_in(self.path, self.source)

    def execute(self) -> dict[str, Callable]:
        """Execute the file in a new module and return the functions that the kit calls, by name.

        Each time a new module, so that what one run leaves in a global does not reach the next.

        Raises:
            SubmissionError: the file needs a package that is not installed, or one of them is no function.
            BaseException: whatever the file raises.
        """
        module = ModuleType(f"submission_{self.name}")
        module.__file__ = str(self.path)
        # Data classes and pickling look up a class's module by name.
        sys.modules[module.__name__] = module
        # Tracebacks quote what is run, even if the file was edited since or cannot be read.
        lines = self.source.splitlines(keepends=True)
        linecache.cache[str(self.path)] = (len(self.source), None, lines, str(self.path))
        try:
            exec(compile(self.source, str(self.path), "exec"), module.__dict__)
        except ModuleNotFoundError as error:
            missing = str(error.name).partition(".")[0]
            if missing in EXTRAS:
                raise SubmissionError(
                    f"{self.path} imports {missing!r}, which is not installed here. {how_to_install(missing)}"
                ) from error
            raise SubmissionError(
                f"{self.path} imports {error.name!r}, which is not installed here. A submission can count on torch, "
                "torchvision, numpy and scipy; anything else must also be installed on Kaggle."
            ) from error
        hooks = {hook: getattr(module, hook, None) for hook in hooks_in(self.path, self.source)}
        for hook, function in hooks.items():
            if not callable(function):
                found = type(function).__name__
                raise SubmissionError(f"{self.path}: expected a function {signature(hook)}, found {found}.")
        return {hook: function for hook, function in hooks.items() if callable(function)}

    def explain(self, error: BaseException) -> str:
        """An error's traceback, starting at the submission's own frames."""
        report = traceback.TracebackException.from_exception(error)
        ours = [at for at, frame in enumerate(report.stack) if frame.filename == str(self.path)]
        report.stack = traceback.StackSummary.from_list(report.stack[ours[0] :] if ours else report.stack)
        return "".join(report.format(chain=False)).rstrip()


def read(path: Path) -> Submission:
    """Read a submission and check it, without executing a line of it.

    Raises:
        SubmissionError: there is no such file, or a static check fails.
    """
    return Submission(path, read_source(path))
