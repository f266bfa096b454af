"""Retrained models: learned from the retain set alone."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
import torch

from scoring.jobs.evaluation import answer_of_one, row_of
from scoring.jobs.job import AnotherWayError, Row
from scoring.jobs.setting import Setting, SettingJob, clock
from scoring.learners.fused import CannotRecordError, answer_of_all
from starter_kit.task import Task
from starter_kit.training import Report, silent


@dataclass(frozen=True, eq=False)
class RetrainedJob(SettingJob):
    """Retrained models in groups, each learned together where that is possible.

    Groups are fixed by index, so that a model depends neither on how many are asked for nor on who makes it.

    Attributes:
        at_once: how many models of a group are learned at once; None for all. Their memory must fit into the device's.
        record: whether a GPU's training steps may be recorded.
    """

    at_once: int | None = None
    record: bool = True

    @cached_property
    def size(self) -> int:
        """The learner's group size for this task and device."""
        return self.setting.recipe.group_size(self.setting.task, self.setting.device)

    def key(self) -> dict[str, str]:
        """The setting and the group size, on which the rounding of sums depends."""
        return self.setting.key | {"group": str(self.size)}

    def prepare(self, report: Report = silent) -> Callable[[int], Row]:
        """The function that learns group ``index`` and evaluates its models."""
        setting, size = self.setting, self.size
        task = setting.load()
        at_once = 1 if setting.recipe.why_one_at_a_time(task) else self.at_once or size

        def learned(seeds: list[int], before: int) -> Row | None:
            """The row of some of the group's models, or None if there is too little memory."""
            share = partial(_share, report, before / size, len(seeds) / size)
            try:
                return _learned(setting, task, seeds, share, self.record)
            except torch.OutOfMemoryError:
                if at_once == 1:
                    raise
            except CannotRecordError as error:
                changes: dict[str, object] = {"at_once": at_once // 2} if error.for_memory else {"record": False}
                raise AnotherWayError(changes) from error
            return None

        def run(index: int) -> Row:
            nonlocal at_once
            seeds = [setting.seed_of("retrained", index * size + place) for place in range(size)]
            rows: list[Row] = []
            done = 0
            while done < size:
                if row := learned(seeds[done : done + at_once], done):
                    rows.append(row)
                    done += at_once
                else:
                    # Later groups will not fit either. What failed is only freed out here, without its traceback.
                    at_once //= 2
                    torch.cuda.empty_cache()
            joined = {name: np.concatenate([row[name] for row in rows]) for name in rows[0]}
            return joined | {"record_failed": np.array(not self.record)}

        return run


def _share(report: Report, before: float, part: float, share: float) -> None:
    """Report a share of a part of the work, with all that was done before."""
    report(before + part * share)


def _learned(setting: Setting, task: Task, seeds: list[int], report: Report, record: bool) -> Row:
    """The row of models with these seeds: a single one by the definition, several together."""
    start = clock(setting.device)
    if len(seeds) == 1:
        net = setting.recipe.learn(task, task.retain, seeds[0], report)
        answer = answer_of_one(net)
    else:
        net = setting.recipe.learn_together(task, task.retain, seeds, report, record)
        answer = answer_of_all(net)
    return row_of(task, answer, seeds, clock(setting.device) - start, net)
