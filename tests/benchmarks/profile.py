"""Where the time of a digits model goes: `python -m tests.benchmarks.profile`. One thread, one group, one worker.

Not part of `make bench`: a profiler slows down what it looks at, so its shares mean more than its times.
"""

import statistics
import time
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table
from torch.profiler import ProfilerActivity, profile

from scoring.jobs.evaluation import answer_of_one, answers
from scoring.jobs.original import Original, OriginalJob
from scoring.jobs.setting import Setting
from scoring.jobs.stopwatch import is_timed
from scoring.jobs.unlearned import UnlearnedJob
from scoring.learners.fused import answer_of_all, train_fused
from scoring.learners.recipe import RecipeLearner
from scoring.running.backends import processes, serial
from scoring.untrusted.submission import read
from starter_kit import tasks
from starter_kit.task import Task
from tests.benchmarks import machine

KINDS = {
    "convolutions, forward": ("mkldnn_convolution", "bmm"),
    "convolutions, backward": ("convolution_backward",),
    "batch norm": ("native_batch_norm", "batch_norm"),
    "ReLU and pooling": ("clamp_min", "relu", "threshold", "pool", "mean"),
    "optimizer": ("_fused_", "_foreach", "lerp", "addcdiv", "addcmul"),
    "copies and layouts": ("copy_", "index_select", "cat", "clone", "contiguous"),
}
"""Kinds of work, by parts of the names of operators. All others, and the time between them, are overhead."""

ROUNDS, RUNS = 3, 64
SUBMISSION = Path("submissions/finetune.py")


def main() -> None:
    """Print where training spends its time, and what a retrained and an unlearned model cost in all."""
    torch.set_num_threads(1)
    console, task = Console(), tasks.load("digits")
    _retrained(console, task)
    _unlearned(console, task)


def _retrained(console: Console, task: Task) -> None:
    seeds = range(RecipeLearner().group_size(task, "cpu"))
    recipe = task.recipe
    train_fused(task.network, task.retain, recipe, seeds)
    whole, evaluation = [], []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        fused = train_fused(task.network, task.retain, recipe, seeds)
        trained = time.perf_counter()
        answers(task, answer_of_all(fused), len(seeds))
        whole.append((trained - start) / len(seeds))
        evaluation.append((time.perf_counter() - trained) / len(seeds))
    with profile(activities=[ProfilerActivity.CPU]) as seen:
        start = time.perf_counter()
        train_fused(task.network, task.retain, recipe, seeds)
        seconds = time.perf_counter() - start
    took = dict.fromkeys(KINDS, 0.0)
    for event in seen.key_averages():
        for kind, parts in KINDS.items():
            if any(part in event.key for part in parts):
                took[kind] += event.self_cpu_time_total / 1e6
                break
    table = Table("part", "share", title=f"{len(seeds)} models of digits at once")
    for kind, value in took.items():
        table.add_row(kind, f"{value / seconds:.1%}")
    table.add_row("overhead", f"{1 - sum(took.values()) / seconds:.1%}")
    console.print(table)
    training, answering = statistics.median(whole), statistics.median(evaluation)
    floor = machine.floor_seconds(task.network(), task.retain, recipe)
    console.print(f"retrained: {training:.4f} s of training, of which arithmetic {floor:.4f} s")
    console.print(f"           {answering:.4f} s of evaluation")


def _unlearned(console: Console, task: Task) -> None:
    """Runs that hold no stopwatch, after the first ones."""
    setting = Setting(task, "cpu", seed=0)
    [(_, original)] = serial.run(OriginalJob(setting), [0], 1)
    job = UnlearnedJob(setting, read(SUBMISSION), Original.of_row(original), limit=60.0, isolated=True)
    indices = [index for index in range(2 * RUNS) if not is_timed(index)][: RUNS + 1]
    rows, arrived = {}, []
    for index, row in processes.run(job, indices, 1):
        rows[index] = row
        arrived.append(time.perf_counter())
    whole = (arrived[-1] - arrived[0]) / RUNS
    run = statistics.median(float(row["seconds"][0]) for row in rows.values())
    net, evaluation = task.network(), []
    for _ in range(RUNS):
        start = time.perf_counter()
        answers(task, answer_of_one(net))
        evaluation.append(time.perf_counter() - start)
    answering = statistics.median(evaluation)
    console.print(f"unlearned: {run:.4f} s within `unlearning`")
    console.print(f"           {answering:.4f} s of evaluation")
    console.print(f"           {whole - run - answering:.4f} s of all else: fork, weights from process to process, end")


if __name__ == "__main__":
    main()
