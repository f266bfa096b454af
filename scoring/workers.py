"""How many workers do a job."""

import os
from collections.abc import Iterator, Sequence
from time import perf_counter

import torch

from scoring.backends import Backend, Job
from scoring.store import Row

ROWS_A_TRIAL = 4
"""How many rows each worker does before its number is judged."""

WORTHWHILE = 1.1
"""Twice the workers have to be faster by this factor to be worth their memory."""


def cores() -> int:
    """The processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def gpus(device: str) -> int:
    """How many GPUs the device means: all that can be seen for "cuda", one for "cuda:1", none for "cpu"."""
    wanted = torch.device(device)
    if wanted.type != "cuda":
        return 0
    return torch.cuda.device_count() if wanted.index is None else 1


def run_on_shared_gpus(
    backend: Backend, job: Job, indices: Sequence[int], gpus: int, most: int
) -> Iterator[tuple[int, Row]]:
    """Run the indices on GPUs that several workers share; how many pay is found out on the first ones.

    What a submission does between two kernels, and so how many of them fill a GPU, is not known before. The
    number is doubled, from one a GPU, for as long as that makes rows come faster.

    Args:
        backend: how jobs are run.
        job: a job whose workers each leave a GPU idle most of the time.
        indices: what is to be done.
        gpus: how many GPUs there are, >= 1.
        most: never more workers than this.
    """
    rest, number = list(indices), gpus
    best, best_rate = number, 0.0
    while number <= most and len(rest) > 2 * ROWS_A_TRIAL * number:
        trial, rest = rest[: ROWS_A_TRIAL * number], rest[ROWS_A_TRIAL * number :]
        finished = []
        for pair in backend(job, trial, number):
            finished.append(perf_counter())
            yield pair
        # The first row of each worker has its start in it.
        rate = (len(trial) - number) / (finished[-1] - finished[number - 1])
        if rate < WORTHWHILE * best_rate:
            break
        best, best_rate, number = number, rate, 2 * number
    yield from backend(job, rest, best)
