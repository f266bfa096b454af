"""How long retraining takes, one model at a time: what the time of a submission is compared with.

A machine is never twice as busy as before. So there is no stopwatch of its own that could grow old: some rows of an
unlearned pool hold a measurement made beside their run, by the same worker, among the same neighbours.
"""

from collections.abc import Callable
from dataclasses import replace

from scoring.jobs.setting import Setting, clock
from starter_kit.task import Task

FIRST, THEN_EVERY = 8, 64
"""Which rows: the first eight, so that a small pool has enough of them, and every 64th."""


def is_timed(index: int) -> bool:
    """Whether the row with this index holds a measurement."""
    return index < FIRST or index % THEN_EVERY == 0


def stopwatch(setting: Setting, task: Task) -> Callable[[], float]:
    """A function that times one epoch of the task's recipe and returns the seconds for all of them.

    The first call takes some steps before, which no clock sees: they are slower than those that follow.

    Args:
        setting: where the learner computes.
        task: with its examples on the device.
    """
    one_epoch: Task = replace(task, recipe=replace(task.recipe, epochs=1))
    # Two batches, and one as small as the last one of an epoch: kernels are chosen for each size.
    few = 2 * task.recipe.batch_size + len(task.retain) % task.recipe.batch_size
    some = task.retain.with_columns(column[:few] for column in task.retain.columns)
    warm = False

    def measure() -> float:
        nonlocal warm
        if not warm:
            setting.recipe.learn(one_epoch, some, seed=0)
            warm = True
        start = clock(setting.device)
        setting.recipe.learn(one_epoch, one_epoch.retain, seed=0)
        return task.recipe.epochs * (clock(setting.device) - start)

    return measure
