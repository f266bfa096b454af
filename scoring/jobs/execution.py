"""Executing a submission's file, and nothing more: a mistake at import shows before anything is trained."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from scoring.jobs.job import Row
from scoring.jobs.setting import SettingJob
from scoring.untrusted.ended import blame
from scoring.untrusted.sandbox import Sandbox, repeated
from scoring.untrusted.submission import Submission
from scoring.untrusted.unlearning import Execution
from starter_kit.training import Report, silent


@dataclass(frozen=True, eq=False)
class ExecutionJob(SettingJob):
    """Executes a submission's file in a sandbox. Its row is empty.

    Attributes:
        submission: the file.
        limit: the seconds that it may take.
        sandbox: where it is executed.
    """

    submission: Submission
    limit: float
    sandbox: Sandbox | None = None

    @property
    def handed(self) -> Execution:
        """The file."""
        return Execution(self.submission)

    def within(self, sandbox: Sandbox) -> "ExecutionJob":
        """The same job with a sandbox."""
        return replace(self, sandbox=sandbox)

    def prepare(self, report: Report = silent) -> Callable[[int], Row]:
        """The function that executes the file."""

        sandbox = self.sandbox
        assert sandbox is not None, "a file is only executed apart from the judge"

        def run(index: int) -> Row:
            ended = repeated(lambda: sandbox.ask(b"", self.limit))
            if ended.how != "done":
                raise blame(ended, self.submission, "at import", self.limit)
            return {}

        return run
