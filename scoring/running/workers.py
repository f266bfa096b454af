"""How many workers do a job."""

from collections.abc import Iterator, Sequence
from time import perf_counter

from scoring.jobs.job import Job, Row
from scoring.running.backends import Run

ROWS_PER_TRIAL = 4
"""How many rows each worker makes in a trial."""

WORTHWHILE = 1.1
"""Twice the workers must be faster by this factor to be worth their memory."""


def run_on_shared_gpus(run: Run, job: Job, indices: Sequence[int], gpus: int, most: int) -> Iterator[tuple[int, Row]]:
    """Run the indices on GPUs that several workers share; trials on the first ones find out how many pay off.

    What a submission does between two kernels, and so how many workers fill a GPU, is not known in advance. The number
    of workers doubles, from one per GPU, as long as rows come faster.

    Args:
        run: a backend's function.
        job: a job whose workers each leave a GPU idle most of the time.
        indices: the units to run.
        gpus: how many GPUs there are, >= 1.
        most: the largest number of workers.
    """
    rest, number = list(indices), gpus
    best, best_rate = number, 0.0
    while number <= most and len(rest) > 2 * ROWS_PER_TRIAL * number:
        trial, rest = rest[: ROWS_PER_TRIAL * number], rest[ROWS_PER_TRIAL * number :]
        finished = []
        for pair in run(job, trial, number):
            finished.append(perf_counter())
            yield pair
        # The first row of each worker includes its start.
        rate = (len(trial) - number) / (finished[-1] - finished[number - 1])
        if rate < WORTHWHILE * best_rate:
            break
        best, best_rate, number = number, rate, 2 * number
    yield from run(job, rest, best)
