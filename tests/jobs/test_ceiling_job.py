"""The ceiling's rows belong to what is judged."""

from dataclasses import replace

import numpy as np

from scoring.jobs.ceiling import CeilingJob
from tests.judging.test_outputs import some


def test_other_times_do_not_make_other_rows():
    """A lost row of the pool is made again with the same answers and other times."""
    slower = replace(some(), seconds=some().seconds + 1)
    assert CeilingJob(slower).key() == CeilingJob(some()).key()


def test_other_answers_make_other_rows():
    moved = some().forget_confidence.copy()
    moved[3, 2] = np.nextafter(moved[3, 2], np.inf)
    other = replace(some(), forget_confidence=moved)
    keys = [CeilingJob(some()), CeilingJob(other), CeilingJob(some(), other), CeilingJob(some(), some())]
    assert len({job.key()["pools"] for job in keys}) == 4
