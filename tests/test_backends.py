import os
import signal
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from scoring import backends
from scoring.errors import MachineError, SubmissionError
from scoring.jobs.setting import Setting
from scoring.jobs.training import Retraining
from starter_kit import tasks


@dataclass(frozen=True)
class Squares:
    """A job that misbehaves at one index, each time or only the first ``times``."""

    folder: Path
    trouble: str = ""
    at: int = 5
    times: int = 10**9
    size: int = 1

    def prepare(self):
        def run(index):
            if index == self.at and self.trouble:
                attempts = len(list(self.folder.iterdir()))
                (self.folder / str(attempts)).touch()
                if attempts < self.times:
                    self.fail()
            return {"square": np.array(index**2), "process": np.array(os.getpid())}

        return run

    def fail(self):
        if self.trouble == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        if self.trouble == "exit":
            os._exit(3)
        if self.trouble == "memory":
            raise torch.OutOfMemoryError("out of memory")
        if self.trouble == "a fault of ours":
            raise ZeroDivisionError("by zero")
        raise SubmissionError("a reason")


def run(job, workers=2, count=12, backend="processes"):
    return dict(backends.load(backend)(job, range(count), workers))


def squares(rows):
    return {index: int(row["square"]) for index, row in rows.items()}


EXPECTED = {index: index**2 for index in range(12)}


@pytest.mark.parametrize(("backend", "workers"), [("serial", 1), ("processes", 1), ("processes", 3)])
def test_every_index_is_done_once(tmp_path, backend, workers):
    rows = run(Squares(tmp_path), workers, backend=backend)
    assert squares(rows) == EXPECTED
    assert len({int(row["process"]) for row in rows.values()}) <= workers


@pytest.mark.parametrize("trouble", ["killed", "exit", "memory"])
@pytest.mark.parametrize("workers", [1, 2])
def test_a_lost_worker_costs_no_row(tmp_path, trouble, workers):
    assert squares(run(Squares(tmp_path, trouble, times=2), workers)) == EXPECTED
    assert len(list(tmp_path.iterdir())) == 3


@pytest.mark.parametrize(
    ("trouble", "reason"),
    [
        ("killed", "killed by SIGKILL, which the system sends when memory runs out"),
        ("exit", "it ended with exit code 3"),
        ("memory", "out of memory"),
    ],
)
def test_an_index_that_always_loses_its_worker_ends_the_run(tmp_path, trouble, reason):
    with pytest.raises(MachineError, match=f"Run 5 lost its worker 3 times: {reason}"):
        run(Squares(tmp_path, trouble))


@pytest.mark.parametrize("backend", backends.names())
def test_an_exception_arrives_as_it_was_raised(tmp_path, backend):
    with pytest.raises(SubmissionError, match="a reason"):
        run(Squares(tmp_path, "exception"), backend=backend)


def test_a_fault_of_ours_brings_its_traceback_along(tmp_path):
    with pytest.raises(ZeroDivisionError) as caught:
        run(Squares(tmp_path, "a fault of ours"))
    assert "in fail" in "".join(caught.value.__notes__)


def test_nothing_is_left_running(tmp_path):
    rows = backends.load("processes")(Squares(tmp_path), range(12), 2)
    process = int(next(rows)[1]["process"])
    os.kill(process, 0)
    rows.close()
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)


def test_no_index_is_no_work(tmp_path):
    assert run(Squares(tmp_path), count=0) == {}


def test_one_two_and_four_workers_train_the_same_models():
    task = tasks.load("digits")
    short = replace(task, recipe=replace(task.recipe, epochs=2))
    job = Retraining(Setting(short, "cpu", 7), "retrained", size=4)
    expected = run(job, count=4, backend="serial")
    for workers in (1, 2, 4):
        rows = run(job, workers, count=4)
        for index, row in expected.items():
            for name in row.keys() - {"seconds"}:
                np.testing.assert_array_equal(rows[index][name], row[name])
