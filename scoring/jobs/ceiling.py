"""The ceiling's splits: pure arithmetic, but enough of it to be shared among workers and kept."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import ClassVar

import numpy as np

from scoring.jobs.code import modules_behind
from scoring.jobs.job import OwnCode, Row
from scoring.judging.ceiling import score_of_split
from scoring.judging.outputs import Outputs
from scoring.judging.score import RULES_VERSION, Score
from starter_kit.training import Report, silent


@dataclass(frozen=True, eq=False)
class CeilingJob(OwnCode):
    """Scores random halves of retrained models against each other; a row is the score of one split.

    Attributes:
        retrained: the pool to split.
        accuracy: the pool that accuracies are compared with, if it is another one.
    """

    retrained: Outputs
    accuracy: Outputs | None = None
    size: ClassVar[int] = 1
    shares_gpu: ClassVar[bool] = False

    @property
    def code(self) -> tuple[str, ...]:
        """What judges."""
        return modules_behind(__name__)

    def key(self) -> dict[str, str]:
        """The answers that are judged, and the rules. Times are left out: a row that is made again has other ones."""
        digest = hashlib.sha256()
        for pool in (self.retrained, self.accuracy):
            for name, values in pool.arrays().items() if pool else ():
                if not name.endswith("seconds"):
                    digest.update(f"{name} {values.shape}".encode() + values.tobytes())
        return {"pools": digest.hexdigest(), "rules": str(RULES_VERSION)}

    def prepare(self, report: Report = silent) -> Callable[[int], Row]:
        """The function that scores split ``index``."""

        def run(index: int) -> Row:
            scored = score_of_split(self.retrained, index, self.accuracy)
            return {field.name: np.asarray(getattr(scored, field.name)) for field in fields(Score)}

        return run


def score_in(row: Row) -> Score:
    """The score in a row of ``CeilingJob``."""
    return Score(
        forgetting_quality=float(row["forgetting_quality"]),
        retain_ratio=float(row["retain_ratio"]),
        test_ratio=float(row["test_ratio"]),
        epsilon=row["epsilon"],
        strongest_epsilon=row["strongest_epsilon"],
        undecided=int(row["undecided"]),
    )
