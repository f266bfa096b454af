"""A pool of unlearned models, with what they declare and how long learning took."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scoring.jobs.job import Row
from scoring.jobs.own import BEFORE
from scoring.judging.outputs import Identity, Outputs
from scoring.learners.guarantee import Guarantee
from scoring.untrusted.model_info import ModelInfo
from starter_kit.task import Task


@dataclass(frozen=True, eq=False)
class Learning:
    """What the models of a submission's own learning were before they unlearned.

    Attributes:
        before: what they answered then.
        seconds: [N] how long learning each took.
        state_bytes: [N] bytes of everything that each held.
    """

    before: Outputs
    seconds: NDArray[np.float64]
    state_bytes: NDArray[np.int64]


@dataclass(frozen=True)
class Generated:
    """How well a submission found out what was only described to it, as means over its models.

    Attributes:
        examples: how many examples it wrote.
        found: the share of the true forget examples that are among them.
        wrong: the share of them that are not true, or about something else.
    """

    examples: float
    found: float
    wrong: float


@dataclass(frozen=True, eq=False)
class Unlearned:
    """What a submission's models answer and declare.

    Attributes:
        outputs: the answers.
        infos: what each model declares.
        learning: of a submission that brings its own; None for others.
    """

    outputs: Outputs
    infos: tuple[ModelInfo, ...]
    learning: Learning | None

    @classmethod
    def of_rows(cls, identity: Identity, rows: list[Row], own: bool) -> "Unlearned":
        """The pool in rows of one model each.

        Args:
            identity: what the outputs belong to.
            rows: of ``OwnJob`` or ``UnlearnedJob``.
            own: whether they are of the former.
        """
        if own:
            rows = [{"retraining_seconds": np.array([np.nan]), **row} for row in rows]
        outputs = Outputs.of_rows(identity, rows, len(rows))
        infos = tuple(ModelInfo.from_bytes(str(row["info"]).encode()) for row in rows)
        learning = _learning(outputs, rows) if own else None
        return cls(outputs, infos, learning)

    @property
    def guarantee(self) -> Guarantee | None:
        """What every model promises; None if one of them promises nothing.

        Raises:
            ValueError: they do not promise the same.
        """
        promised = {one.guarantee for one in self.infos}
        if None in promised:
            return None
        if len(promised) > 1:
            raise ValueError(f"its models carry {len(promised)} different guarantees; expected the same one in all")
        return promised.pop()

    @property
    def details(self) -> dict[str, float]:
        """The means of the figures that all models carry, by name."""
        names = [name for name in self.infos[0].details if all(name in one.details for one in self.infos)]
        return {name: float(np.mean([one.details[name] for one in self.infos])) for name in names}

    def generated(self, task: Task) -> Generated | None:
        """What the submission wrote for a request that is only described; None for other tasks."""
        if not task.request:
            return None
        wrote = [set(one.generated) for one in self.infos]
        found = [len(one & task.described) / len(task.described) for one in wrote]
        wrong = [len(one - task.truths) / max(1, len(one)) for one in wrote]
        return Generated(*(float(np.mean(values)) for values in ([len(one) for one in wrote], found, wrong)))


def _learning(outputs: Outputs, rows: list[Row]) -> Learning:
    answered = {name: [row[BEFORE + name] for row in rows] for name in outputs.arrays() if BEFORE + name in rows[0]}
    seconds, state_bytes = (np.concatenate([row[name] for row in rows]) for name in ("learning_seconds", "state_bytes"))
    before = {name: np.concatenate(values) for name, values in answered.items()}
    probes = {name: np.concatenate([row[BEFORE + name] for row in rows]) for name in outputs.probes}
    arrays = outputs.arrays() | before | {"seconds": seconds}
    return Learning(Outputs(outputs.identity, **arrays, probes=probes), seconds, state_bytes)
