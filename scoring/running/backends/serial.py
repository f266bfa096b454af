"""One unit after the other in this process, where a debugger and ``print`` reach a submission."""

from collections.abc import Iterator, Sequence

import torch

from scoring.jobs.job import Job, Row
from scoring.running.backends import row_maker

ISOLATES = False
"""A submission could change what judges it, and what judges the next one."""


def run(job: Job, indices: Sequence[int], workers: int) -> Iterator[tuple[int, Row]]:
    """Run the indices in order. ``workers`` is for the other backends; here it is always one."""
    # The order in which threads add numbers changes bits, and each worker of the other backends has one thread.
    torch.set_num_threads(1)
    make = row_maker(job)
    for index in indices:
        yield index, make(index)
