"""Executing a submission's file, and nothing more: a mistake at import shows before anything is trained."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from scoring.jobs.job import Row
from scoring.jobs.setting import SettingJob
from scoring.untrusted.call import Handed
from scoring.untrusted.ended import blame
from scoring.untrusted.sandbox import Sandbox
from scoring.untrusted.submission import Submission
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
    def handed(self) -> Handed:
        """The file, and the sets, which it does not get to see."""
        task = self.setting.task
        sets = (task.retain, task.forget, task.validation)
        return Handed(self.submission, task.network, {}, *sets, device="cpu", only_execute=True)

    def within(self, sandbox: Sandbox) -> "ExecutionJob":
        """The same job with a sandbox."""
        return replace(self, sandbox=sandbox)

    def prepare(self, report: Report = silent) -> Callable[[int], Row]:
        """The function that executes the file."""

        def run(index: int) -> Row:
            assert self.sandbox is not None, "a file is only executed apart from the judge"
            ended = self.sandbox.run(0, self.limit)
            if ended.how != "weights":
                raise blame(ended, self.submission, "at import", self.limit)
            return {}

        return run
