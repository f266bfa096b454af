"""How much faster small transformers are trained side by side than one at a time, on one thread."""

from statistics import median
from time import process_time

import torch

from scoring.learners.recipe import RecipeLearner
from starter_kit import tasks
from tests.benchmarks import machine

TIMES = 3


def measure() -> dict[str, float]:
    """CPU seconds per model for a whole training, one at a time, and in groups of the kit's size."""
    torch.set_num_threads(1)
    learner, found = RecipeLearner(), {}
    for name in ("authors", "hazards"):
        task = tasks.load(name).to(torch.device(machine.DEVICE))
        together = learner.group_size(task, machine.DEVICE)
        seconds: dict[int, list[float]] = {1: [], together: []}
        for _ in range(TIMES):
            for models, times in seconds.items():
                start = process_time()
                if models == 1:
                    learner.learn(task, task.retain, 0)
                else:
                    learner.learn_together(task, task.retain, range(models))
                times.append((process_time() - start) / models)
        found[f"{name}_alone"] = median(seconds[1])
        found[f"{name}_together"] = median(seconds[together])
        found[f"{name}_ratio"] = found[f"{name}_alone"] / found[f"{name}_together"]
    return found
