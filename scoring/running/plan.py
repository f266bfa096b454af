"""What a command is going to make, and about how long that takes."""

from collections.abc import Sequence

from scoring.jobs.original import OriginalJob
from scoring.jobs.retrained import RetrainedJob
from scoring.judging.ceiling import models_needed
from scoring.judging.time import BUDGET
from scoring.running.pools import Pools
from scoring.running.progress import Stage
from scoring.untrusted.submission import Submission


def plan(seeds: Sequence[Pools], submissions: Sequence[Submission], models: int, compared: bool = False) -> list[Stage]:
    """The pools that scoring submissions on each seed needs, in the order in which they are made.

    Estimates use the times of stored models. Without any, retraining a model takes as long as training the first
    original, and unlearning as long as the competition allows.

    Args:
        seeds: the pools of each seed.
        submissions: what is scored.
        models: per pool.
        compared: whether they are compared, so that the task's ceiling is needed whatever they bring.
    """
    original = seeds[0].stored_original
    seconds = float(original.answers["seconds"][0]) if original else None
    found = []
    for pools in seeds:
        of_task = pools.of_task()
        if pools.bank is None:
            if not of_task.task.why_no_retrained:
                alone = len(submissions) == 1 and submissions[0].learns and not compared
                needed = models if alone else models_needed(models)
                found.append(of_task.stage("retrained", needed, RetrainedJob(of_task.setting), seconds))
            found.append(of_task.stage("original", 1, OriginalJob(of_task.setting), seconds))
        for submission in submissions:
            found += _stages_of(submission, pools.of(submission), models, seconds)
    return found


def _stages_of(submission: Submission, pools: Pools, models: int, seconds: float | None) -> list[Stage]:
    """Its own retrained models, if it brings its own learning, and the unlearned ones."""
    name = submission.name
    if submission.learns:
        retrained = pools.stage(f"{name}-retrained", models_needed(models), pools.own_job("retrained"), seconds)
        return [retrained, pools.stage(name, models, pools.own_job("unlearned"), seconds)]
    within = None if seconds is None else BUDGET * seconds
    original = pools.stored_original
    return [pools.stage(name, models, pools.runs_of(submission, original) if original else None, within)]
