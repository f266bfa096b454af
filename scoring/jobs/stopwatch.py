"""How long retraining takes, one model at a time: what the time of a submission is compared with."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from scoring.jobs.job import Row
from scoring.jobs.setting import SettingJob, clock
from starter_kit.task import Task


@dataclass(frozen=True, eq=False)
class StopwatchJob(SettingJob):
    """Times one epoch of the task's recipe and multiplies. Submissions run one model at a time, so this does too."""

    workers: int

    def key(self) -> dict[str, str]:
        """The setting, and how many workers share the machine."""
        return self.setting.key | {"workers": str(self.workers)}

    def prepare(self) -> Callable[[int], Row]:
        """The function that takes the time."""
        setting = self.setting
        task = setting.load()
        one_epoch: Task = replace(task, recipe=replace(task.recipe, epochs=1))
        setting.learner.learn(one_epoch, one_epoch.retain, seed=0)

        def run(index: int) -> Row:
            start = clock(setting.device)
            setting.learner.learn(one_epoch, one_epoch.retain, seed=index)
            return {"seconds": np.array([task.recipe.epochs * (clock(setting.device) - start)])}

        return run
