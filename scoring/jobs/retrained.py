"""Retrained models: learned from the retain set alone."""

from collections.abc import Callable

import numpy as np
import torch

from scoring.jobs.evaluation import answer_of_one, row_of
from scoring.jobs.job import Row
from scoring.jobs.setting import Setting, SettingJob, clock
from starter_kit.task import Task


class RetrainedJob(SettingJob):
    """Retrained models in groups, each learned together where that is possible.

    Groups are fixed by index, so that a model depends neither on how many are asked for nor on who makes it.
    """

    @property
    def size(self) -> int:
        """The learner's group size on this device."""
        return self.setting.learner.group_size(self.setting.device)

    def key(self) -> dict[str, str]:
        """The setting and the group size, on which the rounding of sums depends."""
        return self.setting.key | {"group": str(self.size)}

    def prepare(self) -> Callable[[int], Row]:
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
                try:
                    rows.append(_learned(setting, task, seeds[done : done + at_once]))
                    done += at_once
                except torch.OutOfMemoryError:
                    if at_once == 1:
                        raise
                    # Later groups will not fit either.
                    at_once //= 2
                    torch.cuda.empty_cache()
            return {name: np.concatenate([row[name] for row in rows]) for name in rows[0]}

        return run


def _learned(setting: Setting, task: Task, seeds: list[int]) -> Row:
    """The row of models with these seeds: a single one by the definition, several together."""
    start = clock(setting.device)
    if len(seeds) == 1:
        answer = answer_of_one(setting.learner.learn(task, task.retain, seeds[0]))
    else:
        answer = setting.learner.learn_together(task, task.retain, seeds)
    return row_of(task, answer, seeds, clock(setting.device) - start)
