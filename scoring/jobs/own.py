"""Models of a submission that brings its own learning: retrained ones, and those that it learned and unlearned."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import ClassVar, Literal, Self

import numpy as np

from scoring.jobs.evaluation import answers, row_of
from scoring.jobs.job import Row
from scoring.jobs.setting import SettingJob
from scoring.jobs.stopwatch import is_timed
from scoring.learners import Answer
from scoring.untrusted.ended import Ended, blame
from scoring.untrusted.learning import Learning
from scoring.untrusted.sandbox import InPlace, Sandbox, repeated
from scoring.untrusted.session import FailedError, Session
from scoring.untrusted.submission import Submission
from starter_kit.errors import SubmissionError
from starter_kit.examples import Examples
from starter_kit.training import Report, silent

BEFORE = "before."
"""The prefix of a model's answers before it unlearned."""


@dataclass(frozen=True, eq=False)
class OwnJob(SettingJob):
    """Runs of a submission that learn, and perhaps unlearn. The module that comes out is judged as it is.

    Each unlearned model starts from a model learned with a seed of its own. With one for all, the untouched parts of an
    exact method would be the same in all unlearned models, and its pool would collapse.

    Attributes:
        pool: "retrained" for models learned from the retain set alone.
        limit: the seconds that a run may take.
        isolated: whether runs are made in a sandbox. Rows of both kinds are kept apart.
        sandbox: where runs are made; None for this very process.
    """

    pool: Literal["retrained", "unlearned"]
    limit: float
    isolated: bool
    sandbox: Sandbox | None = None
    shares_gpu: ClassVar[bool] = True

    def key(self) -> dict[str, str]:
        """The setting, of which the submission is a part, the pool, and whether runs are isolated."""
        return self.setting.key | {"pool": self.pool, "isolated": str(self.isolated)}

    @property
    def submission(self) -> Submission:
        """The file to run."""
        assert self.setting.own is not None, "a submission's own learning belongs to the setting"
        return self.setting.own

    @property
    def handed(self) -> Learning:
        """What each run gets."""
        task = self.setting.task
        learned_from = task.train if self.pool == "unlearned" else task.retain
        return Learning(self.submission, task.network, by_id(learned_from), task.validation, self.setting.device)

    def within(self, sandbox: Sandbox) -> Self:
        """The same job with a sandbox."""
        return replace(self, sandbox=sandbox)

    def prepare(self, report: Report = silent) -> Callable[[int], Row]:
        """The function that makes model ``index`` and evaluates it."""
        setting, unlearned = self.setting, self.pool == "unlearned"
        task = setting.load()
        place = self.sandbox or InPlace(self.handed)
        forgotten = ids_of(task.forget)

        def retrained(session: Session, index: int) -> Row:
            seed = setting.seed_of("retrained", index)
            return row_of(task, answer_of(session, "model"), [seed], session.learn(seed))

        def learned_and_unlearned(session: Session, index: int) -> Row:
            learning_seconds = session.learn(setting.seed_of("original", index))
            state_bytes = session.info().size
            session.keep()
            seed = setting.seed_of("unlearned", index)
            seconds = session.unlearn(seed, forgotten)
            row = row_of(task, answer_of(session, "model"), [seed], seconds)
            before = answers(task, answer_of(session, "kept"))
            return {
                **row,
                **{BEFORE + name: value for name, value in before.items()},
                "learning_seconds": np.array([learning_seconds]),
                "state_bytes": np.array([state_bytes]),
                "info": np.array(session.info().to_bytes().decode()),
            }

        def timed(session: Session, index: int) -> Row:
            return {"retraining_seconds": np.array([session.learn(index, leave_out=forgotten)])}

        def run(index: int) -> Row:
            def within(where: str, make: Callable[[Session, int], Row]) -> Row:
                return in_a_session(self.submission, place, self.limit, where, lambda session: make(session, index))

            if not unlearned:
                return within(f"in retrained model {index}", retrained)
            row = within(f"in run {index}", learned_and_unlearned)
            return row | within(f"while retraining was timed next to run {index}", timed) if is_timed(index) else row

        return run


def answer_of(session: Session, of: Literal["model", "kept"]) -> Answer:
    """What the model of a run answers, or the copy that the run kept."""
    return lambda inputs: session.answer(of, inputs[:, 0]).unsqueeze(1)


def ids_of(examples: Examples) -> frozenset[int]:
    """What identifies the examples within their task."""
    return frozenset(examples.image_id.tolist())


def in_a_session(
    submission: Submission, place: InPlace | Sandbox, limit: float, where: str, make: Callable[[Session], Row]
) -> Row:
    """What is made in one run of a submission, again if its process is killed from outside.

    Raises:
        SubmissionError: the submission is at fault.
    """
    rows: list[Row] = []

    def attempt() -> Ended:
        try:
            rows.append(make(Session(place, limit)))
        except FailedError as failed:
            return failed.ended
        return Ended("done")

    try:
        ended = repeated(attempt)
    except ValueError as error:
        raise SubmissionError(f"{submission.path} failed {where}: {error}.") from error
    if ended.how != "done":
        raise blame(ended, submission, where, limit)
    return rows[0]


def by_id(examples: Examples) -> Examples:
    """The examples in the order of their ids, which says nothing about what is to be forgotten."""
    order = examples.image_id.argsort()
    return examples.with_columns(column[order] for column in examples.columns)
