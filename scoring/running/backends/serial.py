"""One unit after the other in this process, where a debugger and ``print`` reach a submission."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import torch

from scoring.jobs.job import AnotherWayError, Job, Row
from scoring.running.backends import Backend, Options, Reports, nobody, refuse, row_maker
from scoring.running.machines import ThisMachine


def backend(options: Options) -> Backend:
    """It isolates nothing: a submission could change what judges it, and what judges the next one."""
    refuse("serial", options, "sandbox", "address", "share")
    return Backend(run, isolates=False, machines=ThisMachine())


def run(job: Job, indices: Sequence[int], workers: int, report: Reports = nobody) -> Iterator[tuple[int, Row]]:
    """Run the indices in order. ``workers`` is for the other backends; here it is always one."""
    before, current = torch.get_num_threads(), -1
    # The order in which threads add numbers changes bits.
    torch.set_num_threads(job.threads)

    def of_current(share: float) -> None:
        report(current, share)

    try:
        make = row_maker(job, of_current)
        for index in indices:
            current = index
            row = None
            while row is None:
                try:
                    row = make(index)
                except AnotherWayError as error:
                    # There is no other process to go on in.
                    job = replace(job, **error.changes)  # type: ignore[type-var]
                    make = row_maker(job, of_current)
            yield index, row
    finally:
        torch.set_num_threads(before)
