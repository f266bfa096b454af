"""One contract for all backends: every file in `scoring/running/backends` is tried."""

import json
import os
import signal
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from scoring.jobs.job import OwnCode
from scoring.jobs.original import OriginalJob
from scoring.jobs.retrained import RetrainedJob
from scoring.jobs.setting import Setting
from scoring.running import backends
from starter_kit import tasks
from starter_kit.errors import MachineError, SubmissionError
from starter_kit.training import silent
from tests import toys

WITHOUT_WORKERS = {"serial"}
"""Backends that run in this process: it is the worker, and a test cannot survive its loss."""


def each(names):
    return pytest.mark.parametrize(
        "backend", [pytest.param(name, marks=pytest.mark.cluster) if name == "ray" else name for name in names]
    )


each_backend = each(backends.names())
each_with_workers = each(sorted({*backends.names()} - WITHOUT_WORKERS))
each_here = each(sorted({*backends.names()} - {"ray"}))
"""Workers of a cluster end a little later, and are asked how far they are; see `test_ray.py`."""


@dataclass(frozen=True)
class Squares(OwnCode):
    """A job that misbehaves at one index, every time or only the first ``times``."""

    folder: Path
    trouble: str = ""
    at: int = 5
    times: int = 10**9
    size: int = 1
    shares_gpu: bool = False
    code: tuple[str, ...] = ()

    def key(self):
        return {}

    def prepare(self, report=silent):
        def run(index):
            report(0.5)
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
        if self.trouble == "a bug of ours":
            raise ZeroDivisionError("by zero")
        raise SubmissionError("a reason")


def run(job, backend, workers=2, count=12):
    return dict(backends.load(backend).run(job, range(count), workers))


def squares(rows):
    return {index: int(row["square"]) for index, row in rows.items()}


EXPECTED = {index: index**2 for index in range(12)}


@each_backend
@pytest.mark.parametrize("workers", [1, 3])
def test_every_index_is_run_once(tmp_path, backend, workers):
    rows = run(Squares(tmp_path), backend, workers)
    assert squares(rows) == EXPECTED
    assert len({int(row["process"]) for row in rows.values()}) <= workers


@each_backend
def test_no_index_is_no_work(tmp_path, backend):
    assert run(Squares(tmp_path), backend, count=0) == {}


@each_backend
def test_rows_say_who_made_them(tmp_path, backend):
    made_by = json.loads(str(run(Squares(tmp_path), backend, count=1)[0]["made_by"]))
    assert made_by["torch"] == torch.__version__
    assert made_by["cpu_capability"] == torch.backends.cpu.get_cpu_capability()


@each_backend
@pytest.mark.parametrize(
    ("kind", "task", "threads"), [(RetrainedJob, tasks.load("digits"), 1), (OriginalJob, toys.task(), 2)]
)
def test_training_gives_the_bits_of_serial(backend, kind, task, threads):
    """However many threads this process has."""
    short = replace(task, recipe=replace(task.recipe, epochs=1))
    job = kind(Setting(short, "cpu", 7))
    assert job.threads == threads
    expected = run(job, "serial", count=2)
    for workers in (1, 2):
        torch.set_num_threads(3)
        rows = run(job, backend, workers, count=2)
        assert torch.get_num_threads() == 3
        torch.set_num_threads(1)
        for index, row in expected.items():
            for name in row.keys() - {"seconds"}:
                np.testing.assert_array_equal(rows[index][name], row[name])


@pytest.mark.parametrize(("task", "threads"), [("digits", 1), ("faces:600", 2)])
def test_an_original_of_a_large_network_has_two_threads(task, threads):
    assert OriginalJob(Setting(tasks.load(task), "cpu", 0)).threads == threads


@each_backend
def test_an_error_of_the_submission_arrives_as_it_was_raised(tmp_path, backend):
    with pytest.raises(SubmissionError, match="a reason"):
        run(Squares(tmp_path, "exception"), backend)


@each_with_workers
def test_a_bug_of_ours_brings_its_traceback_along(tmp_path, backend):
    with pytest.raises(ZeroDivisionError) as caught:
        run(Squares(tmp_path, "a bug of ours"), backend)
    assert "in fail" in "".join(caught.value.__notes__)


@each_with_workers
@pytest.mark.parametrize("trouble", ["killed", "exit", "memory"])
@pytest.mark.parametrize("workers", [1, 2])
def test_a_lost_worker_costs_no_row(tmp_path, backend, trouble, workers):
    assert squares(run(Squares(tmp_path, trouble, times=2), backend, workers)) == EXPECTED
    assert len(list(tmp_path.iterdir())) == 3


@pytest.mark.parametrize("backend", ["processes"])
@pytest.mark.parametrize(
    ("trouble", "reason"),
    [
        ("killed", "killed by SIGKILL, which the system sends when memory runs out"),
        ("exit", "it ended with exit code 3"),
        ("memory", "out of memory"),
    ],
)
def test_an_index_that_always_loses_its_worker_ends_the_run(tmp_path, backend, trouble, reason):
    with pytest.raises(MachineError, match=f"Run 5 lost its worker 3 times: {reason}"):
        run(Squares(tmp_path, trouble), backend)


@each_here
def test_closing_stops_all_work(tmp_path, backend):
    rows = backends.load(backend).run(Squares(tmp_path), range(12), 2)
    process = int(next(rows)[1]["process"])
    os.kill(process, 0)
    rows.close()
    assert list(rows) == []
    if process != os.getpid():
        with pytest.raises(ProcessLookupError):
            os.kill(process, 0)


@each_here
def test_what_is_done_of_a_row_is_reported(backend, tmp_path, monkeypatch):
    said = []
    rows = backends.load(backend).run(Squares(tmp_path), range(3), 3, lambda index, share: said.append((index, share)))
    # Every worker reports its first row; those that follow within a fifth of a second are left out.
    assert sorted(index for index, _ in rows) == [0, 1, 2]
    assert said
    assert set(said) <= {(0, 0.5), (1, 0.5), (2, 0.5)}
    assert len(said) == len(set(said))
