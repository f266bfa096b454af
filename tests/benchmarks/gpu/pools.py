"""Whole pools at the competition's scale, as `make score` makes them: workers, groups, records, rows.

One retrained pool of 64 with few epochs, extrapolated; where time allows, one of 64 as it is, then one of 512. An
unlearned pool of `finetune_low_rate`. Beside both, the organisers' way.
"""

import itertools
import statistics
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from scoring.jobs.original import Original
from scoring.jobs.retrained import RetrainedJob
from scoring.jobs.setting import Setting
from scoring.jobs.unlearned import UnlearnedJob
from scoring.running.backends import processes
from scoring.running.machines import cores
from scoring.running.workers import run_on_shared_gpus
from scoring.untrusted.submission import read
from starter_kit.task import Task
from tests.benchmarks import machine, organisers, scale

ON_GPU = machine.DEVICE == "cuda"
SIZES = {} if ON_GPU else {"retained": 128, "others": 2}
FEW, TRIAL = (64, (1, 3)) if ON_GPU else (2, (1, 2))
"""Models of the small pool, and the epochs of two trials: their difference leaves out what is done once."""

RUNS = 64 if ON_GPU else 2
STEPS = 100 if ON_GPU else 2
"""Of the organisers' way, of which the median counts."""

SUBMISSION = Path("submissions/finetune_low_rate.py")
SPARE = 1.2
"""How much longer than extrapolated a pool may take and still fit."""


def findings(seconds: float) -> Iterator[dict[str, object]]:
    """Figures as they come; what does not fit into ``seconds`` is left out."""
    end = time.monotonic() + seconds
    task = scale.task(**SIZES)
    theirs = _organisers_seconds(task)
    yield {"organisers, seconds per step": theirs}
    short, long = (_retrained_seconds(scale.task(**SIZES, epochs=epochs), FEW) for epochs in TRIAL)
    per_epoch = (long - short) / (TRIAL[1] - TRIAL[0])
    once = short - TRIAL[0] * per_epoch
    whole = once + task.recipe.epochs * per_epoch
    yield {
        f"retrained, {FEW} models": {
            "seconds_per_epoch": per_epoch,
            "seconds_once": once,
            "extrapolated_seconds": whole,
            "extrapolated_minutes_for_512": whole * scale.POOL / FEW / 60,
            "extrapolated_vs_organisers": theirs * scale.STEPS * FEW / whole,
            "extrapolated_vs_floor": whole / FEW / machine.floor_seconds(scale.network(), task.retain, task.recipe),
        }
    }
    yield from _unlearned(task, theirs)
    took, made = max(whole, long), FEW
    for models in (FEW, scale.POOL):
        name, expected = f"retrained, {models} models, all epochs", took * models / made
        if time.monotonic() + SPARE * expected > end:
            yield {name: f"left out: it would take some {expected:.0f} s"}
            return
        took, made = _retrained_seconds(task, models), models
        yield {name: {"seconds": took, "vs_organisers": theirs * scale.STEPS * models / took}}


def _organisers_seconds(task: Task) -> float:
    """A median step, after two that do not count."""
    net = scale.network().to(machine.DEVICE)
    loader = organisers.loader_of_dicts(task.retain)
    device = torch.device(machine.DEVICE)
    training = itertools.chain.from_iterable(organisers.steps(net, loader, device) for _ in itertools.count())
    seconds = []
    for _ in range(STEPS + 2):
        start = time.perf_counter()
        next(training)
        machine.synchronize()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds[2:])


def _retrained_seconds(task: Task, models: int) -> float:
    """From the start of the workers to the last row."""
    job = RetrainedJob(Setting(task, machine.DEVICE, seed=0))
    start = time.perf_counter()
    rows = dict(processes.run(job, range(-(-models // job.size)), 1))
    seconds = time.perf_counter() - start
    if any(row["record_failed"] for row in rows.values()):
        raise RuntimeError("steps could not be recorded, so the times mean nothing")
    return seconds * models / (job.size * len(rows))


def _unlearned(task: Task, theirs: float) -> Iterator[dict[str, object]]:
    """Runs of a submission: a few on one worker, then the rest on as many as share the GPU best."""
    weights = {name: value.cpu() for name, value in scale.network().state_dict().items()}
    original = Original(weights, {"seconds": np.array([60.0])})
    job = UnlearnedJob(Setting(task, machine.DEVICE, seed=0), read(SUBMISSION), original, limit=600, isolated=True)
    shared, crews = {}, []

    def run(*arguments: object, **options: object) -> Iterator:
        crews.append(arguments[2])
        return processes.run(*arguments, **options)  # type: ignore[arg-type]

    start = time.perf_counter()
    for index, row in run_on_shared_gpus(run, job, range(RUNS), 1, most=cores()):
        shared[index] = row
    seconds = time.perf_counter() - start
    one_by_one = theirs * -(-len(task.retain) // scale.RECIPE.batch_size)
    yield {
        f"unlearned, {RUNS} models": {
            "seconds_per_model": seconds / RUNS,
            "seconds_of_a_run": float(np.median([row["seconds"] for row in shared.values()])),
            "workers": float(crews[-1]),
            "organisers_seconds_per_model": one_by_one,
            "vs_organisers": one_by_one / (seconds / RUNS),
        }
    }
