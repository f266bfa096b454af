"""Retrained models: learned from the retain set alone."""

from collections.abc import Callable
from functools import cached_property, partial

import numpy as np
import torch

from scoring.jobs.evaluation import answer_of_one, row_of
from scoring.jobs.job import Row
from scoring.jobs.setting import Setting, SettingJob, clock
from starter_kit.task import Task
from starter_kit.training import Report, silent


class RetrainedJob(SettingJob):
    """Retrained models in groups, each learned together where that is possible.

    Groups are fixed by index, so that a model depends neither on how many are asked for nor on who makes it.
    """

    @cached_property
    def size(self) -> int:
        """The learner's group size for this task and device."""
        return self.setting.learner.group_size(self.setting.task, self.setting.device)

    def key(self) -> dict[str, str]:
        """The setting and the group size, on which the rounding of sums depends."""
        return self.setting.key | {"group": str(self.size)}

    def prepare(self, report: Report = silent) -> Callable[[int], Row]:
        """The function that learns group ``index`` and evaluates its models."""
        setting, size = self.setting, self.size
        task = setting.load()
        at_once = 1 if setting.learner.why_one_at_a_time(task) else size

        def run(index: int) -> Row:
            nonlocal at_once
            seeds = [setting.seed_of("retrained", index * size + place) for place in range(size)]
            rows: list[Row] = []
            done = 0
            while done < size:
                some = seeds[done : done + at_once]
                try:
                    rows.append(_learned(setting, task, some, partial(_share, report, done / size, len(some) / size)))
                    done += at_once
                except torch.OutOfMemoryError:
                    if at_once == 1:
                        raise
                    # Later groups will not fit either.
                    at_once //= 2
                    torch.cuda.empty_cache()
            return {name: np.concatenate([row[name] for row in rows]) for name in rows[0]}

        return run


def _share(report: Report, before: float, part: float, share: float) -> None:
    """Report a share of a part of the work, with all that was done before."""
    report(before + part * share)


def _learned(setting: Setting, task: Task, seeds: list[int], report: Report) -> Row:
    """The row of models with these seeds: a single one by the definition, several together."""
    start = clock(setting.device)
    if len(seeds) == 1:
        answer = answer_of_one(setting.learner.learn(task, task.retain, seeds[0], report))
    else:
        answer = setting.learner.learn_together(task, task.retain, seeds, report)
    return row_of(task, answer, seeds, clock(setting.device) - start)
