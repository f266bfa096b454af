"""A Ray cluster whose machines are processes of this one: they end, join, differ, and lack the kit."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from multiprocessing import forkserver, resource_tracker
from pathlib import Path
from threading import Thread

import numpy as np
import psutil
import pytest

from scoring.jobs.retrained import RetrainedJob
from scoring.jobs.setting import Setting
from scoring.running import backends
from scoring.running.backends import Options
from scoring.running.cluster import SETTINGS
from scoring.running.travelling import packed, unpacked
from scoring.untrusted.submission import read
from starter_kit import tasks
from starter_kit.errors import InputError, MachineError, SubmissionError
from tests.conftest import make_pools
from tests.running.test_backends import EXPECTED, Squares, squares
from tests.untrusted.test_bubblewrap import needs_bubblewrap

# Ray reads some of them when it is imported.
os.environ.update(SETTINGS)
ray = pytest.importorskip("ray")
cluster_utils = pytest.importorskip("ray.cluster_utils")

ROOT = Path(__file__).parents[2]

slow = pytest.mark.cluster
"""Run by `make cluster`: each starts workers that import torch."""

pytestmark = [
    # Ray leaves sockets and files to the garbage collector.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]


def digits(epochs=1):
    task = tasks.load("digits")
    return RetrainedJob(Setting(replace(task, recipe=replace(task.recipe, epochs=epochs)), "cpu", 3))


def bits(rows):
    return {index: row["forget_confidence"].tobytes() for index, row in rows.items()}


def of_serial(job, count):
    return bits(dict(backends.load("serial").run(job, range(count), 1)))


@dataclass(frozen=True)
class Slow(Squares):
    """Squares that take a while."""

    seconds: float = 0.3

    def prepare(self, report=None):
        make = super().prepare(report or (lambda share: None))

        def run(index):
            time.sleep(self.seconds)
            return make(index)

        return run


@dataclass(frozen=True)
class Halfway(Squares):
    """Squares that stay half done for a while."""

    def prepare(self, report=None):
        make = super().prepare(report)

        def run(index):
            report(0.5)
            time.sleep(4)
            return make(index)

        return run


def there():
    """The processes that this one has started, but for the helpers of its own `processes` backend."""
    helpers = {forkserver._forkserver._forkserver_pid, resource_tracker._resource_tracker._pid}
    return {process for process in psutil.Process().children(recursive=True) if process.pid not in helpers}


def test_tensors_of_a_job_travel_outside_its_bytes():
    job = digits()
    text, buffers = packed(job)
    examples = sum(column.numel() * column.element_size() for column in job.setting.task.retain.columns)
    assert sum(buffer.nbytes for buffer in buffers) > examples
    assert len(text) < 50_000
    again = unpacked(text, buffers)
    assert again.key() == job.key()
    inside = np.frombuffer(buffers[0], np.uint8)
    assert any(
        np.shares_memory(column.numpy(), buffer)
        for column in again.setting.task.retain.columns
        for buffer in [inside, *buffers]
    )


def test_without_ray_it_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(InputError, match=r"Install it with: .*cluster"):
        _ = backends.load("ray").machines.slots("cpu")


class TestThisMachine:
    """A cluster that starts with the first rows, and ends with the process."""

    @pytest.fixture(scope="class", autouse=True)
    def end(self):
        before = there()
        yield
        ray.shutdown()
        _, left = psutil.wait_procs(there() - before, timeout=20)
        assert not left, "everything that was started has ended"

    def test_rows_have_the_bits_of_serial(self):
        job = digits()
        rows = dict(backends.load("ray").run(job, range(3), 2))
        assert bits(rows) == of_serial(job, 3)
        assert all(values.flags.writeable for values in rows[0].values()), "they lie in memory of this process"

    @slow
    def test_workers_are_asked_how_far_they_are(self, tmp_path):
        said = set()
        rows = backends.load("ray").run(Halfway(tmp_path), range(2), 2, lambda *reached: said.add(reached))
        assert sorted(index for index, _ in rows) == [0, 1]
        assert {(0, 0.5), (1, 0.5)} <= said

    @slow
    def test_closing_stops_all_work(self, tmp_path):
        rows = backends.load("ray").run(Slow(tmp_path), range(12), 2)
        process = psutil.Process(int(next(rows)[1]["process"]))
        rows.close()
        assert list(rows) == []
        psutil.wait_procs([process], timeout=10)
        assert not process.is_running()

    @slow
    def test_a_submission_runs_isolated_with_the_same_bits(self, store, tmp_path):
        pools = make_pools(tmp_path / "ray", "ray", 2)
        there = make_pools(store, "processes", 2)
        one = read(Path("submissions/random_labels.py"))
        assert pools.backend.isolates
        assert pools.kind == there.kind
        ours, theirs = (some.unlearned(one, 4).outputs for some in (pools, there))
        assert np.array_equal(ours.forget_confidence, theirs.forget_confidence)

    @slow
    def test_an_error_of_the_submission_is_its_own(self, tmp_path):
        path = tmp_path / "mine.py"
        path.write_text("def unlearning(net, retain, forget, val):\n    net.no_such_thing()\n")
        with pytest.raises(SubmissionError, match="no_such_thing"):
            make_pools(tmp_path / "store", "ray", 1).unlearned(read(path), 2)

    @slow
    @needs_bubblewrap
    def test_in_bubblewrap_the_bits_are_the_same(self, store, tmp_path):
        pools = replace(make_pools(tmp_path, "ray", 1), backend=backends.load("ray", Options(sandbox="bwrap")))
        one = read(Path("submissions/random_labels.py"))
        ours, theirs = (some.unlearned(one, 2).outputs for some in (pools, make_pools(store, "processes", 1)))
        assert np.array_equal(ours.forget_confidence, theirs.forget_confidence)

    @slow
    def test_a_device_that_no_machine_has_is_refused(self):
        machines = backends.load("ray").machines
        assert machines.device("") == "cpu"
        with pytest.raises(InputError, match="no machine of the Ray cluster has a GPU"):
            machines.device("cuda")
        with pytest.raises(InputError, match="chooses the GPU"):
            machines.device("cuda:1")


@slow
class TestSeveralMachines:
    """Two or three machines, by address."""

    @pytest.fixture
    def cluster(self):
        """A head that makes no rows, and a function that adds machines that do."""
        before = there()
        cluster = cluster_utils.Cluster()
        cluster.add_node(num_cpus=0, include_dashboard=False, object_store_memory=100 << 20)
        yield cluster
        ray.shutdown()
        cluster.shutdown()
        _, left = psutil.wait_procs(there() - before, timeout=20)
        for process in left:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        assert not left

    @staticmethod
    def add(cluster, slots=2, **options):
        return cluster.add_node(num_cpus=slots, object_store_memory=100 << 20, **options)

    @staticmethod
    def backend(cluster, **options):
        return backends.load("ray", Options(address=cluster.address, **options))

    def test_a_machine_that_is_killed_costs_only_its_rows_in_flight(self, cluster, tmp_path, capfd):
        self.add(cluster)
        doomed = self.add(cluster)
        backend = self.backend(cluster)
        assert backend.machines.slots("cpu") == 4
        rows = {}
        began = 0.0
        for index, row in backend.run(Slow(tmp_path), range(12), 4):
            rows[index] = row
            if len(rows) == 3:
                cluster.remove_node(doomed, allow_graceful=False)
                began = time.monotonic()
            elif len(rows) == 4:
                assert time.monotonic() - began < 10
        assert squares(rows) == EXPECTED
        said = capfd.readouterr()
        assert said.out == said.err == "", "nothing tears the progress bar"

    def test_its_models_have_the_bits_of_serial_then_too(self, cluster):
        self.add(cluster)
        doomed = self.add(cluster)
        job, rows = digits(2), {}
        for index, row in self.backend(cluster).run(job, range(8), 4):
            rows[index] = row
            if len(rows) == 2:
                cluster.remove_node(doomed, allow_graceful=False)
        assert bits(rows) == of_serial(job, 8)

    def test_a_machine_that_joins_is_used(self, cluster, tmp_path):
        self.add(cluster, 1)
        processes, joined = set(), None
        for index, row in self.backend(cluster).run(Slow(tmp_path, seconds=1.0), range(40), 4):
            processes.add(int(row["process"]))
            if index is not None and joined is None:
                joined = self.add(cluster, 2)
        assert len(processes) == 3

    def test_a_row_that_loses_its_worker_three_times_is_given_up_with_the_machines_name(self, cluster, tmp_path):
        self.add(cluster)
        with pytest.raises(MachineError, match=r"Run 5 lost its worker 3 times, most recently on \S+"):
            dict(self.backend(cluster).run(Squares(tmp_path, "killed"), range(12), 2))

    def test_a_machine_of_another_kind_makes_no_rows(self, cluster, tmp_path, capfd):
        self.add(cluster)
        backend = self.backend(cluster)
        kind = backend.machines.kind("cpu")
        other = "AVX512" if kind["cpu_capability"] == "AVX2" else "AVX2"
        backend.machines.kinds["cpu"] = kind | {"cpu_capability": other}
        with pytest.raises(MachineError, match="No machine in the Ray cluster can be used"):
            dict(backend.run(Squares(tmp_path), range(3), 2))
        assert f"its cpu_capability is {kind['cpu_capability']}, not {other}" in capfd.readouterr().err

    def test_shares_of_gpus_are_slots(self, cluster, tmp_path):
        """GPUs that do not exist: the job claims another device than the CPU and does not use it."""
        self.add(cluster, 1, num_gpus=2)
        backend = self.backend(cluster, share=0.5)
        assert backend.machines.slots("mps") == 4
        rows = dict(backend.run(OnGpu(tmp_path, seconds=0.5), range(12), 8))
        assert squares(rows) == EXPECTED
        assert len({int(row["process"]) for row in rows.values()}) == 4

    @needs_bubblewrap
    def test_the_kit_travels_to_a_machine_that_lacks_it(self, cluster):
        """A machine where the checkout is hidden, with Ray and torch alone."""
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        where = [sys.executable, "-P", "-c", "import scoring; print(scoring.__file__)"]
        installed = Path(subprocess.run(where, cwd="/", env=environment, capture_output=True, text=True).stdout.strip())
        hidden = ["bwrap", "--dev-bind", "/", "/"]
        for folder in {ROOT, installed.parents[1]}:
            hidden += ["--tmpfs", str(folder)]
        hidden += ["--bind", sys.prefix, sys.prefix, "--chdir", "/", "--die-with-parent", "--", sys.executable]
        tried = subprocess.run([*hidden, "-P", "-c", "import scoring"], env=environment, capture_output=True, text=True)
        assert "No module named 'scoring'" in tried.stderr
        start = ["-m", "ray.scripts.scripts", "start", "--address", cluster.address, "--num-cpus", "1", "--block"]
        node = subprocess.Popen(
            [*hidden, *start, "--object-store-memory", str(100 << 20)],
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            backend = self.backend(cluster)
            while backend.machines.slots("cpu") < 1 or not any(
                machine.resources.get("CPU") for machine in backend.machines.machines
            ):
                time.sleep(0.2)
            job = digits()
            assert bits(dict(backend.run(job, range(2), 1))) == of_serial(job, 2)
        finally:
            node.terminate()
            node.wait(20)

    def test_no_cluster_at_the_address(self):
        with pytest.raises(InputError, match=r"there is no Ray cluster at 127\.0\.0\.1:1"):
            _ = backends.load("ray", Options(address="127.0.0.1:1")).machines.slots("cpu")


@dataclass(frozen=True)
class OnGpu(Slow):
    """Squares on another device than the CPU."""

    device: str = "mps"


@slow
def test_ctrl_c_ends_everything_and_keeps_what_is_made(tmp_path):
    """A whole program, stopped as people stop it."""
    command = [sys.executable, "-m", "scoring", "score", "submissions/random_labels.py", "--backend", "ray"]
    command += ["--bank", "none", "--store", str(tmp_path / "store"), "--out", str(tmp_path / "out")]
    program = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)
    started: set[psutil.Process] = set()
    watching = Thread(target=lambda: [started.update(_children(program.pid)) or time.sleep(0.2) for _ in range(200)])
    watching.start()
    while not list((tmp_path / "store").glob("retrained-*/*.row")):
        assert program.poll() is None, program.stderr.read()
        time.sleep(0.1)
    os.killpg(program.pid, signal.SIGINT)
    _, said = program.communicate(timeout=60)
    watching.join()
    assert program.returncode == 130, said
    assert "the same command continues" in said
    assert "Traceback" not in said
    _, left = psutil.wait_procs(started, timeout=20)
    assert not left
    assert list((tmp_path / "store").glob("retrained-*/*.row"))


def _children(process):
    try:
        return psutil.Process(process).children(recursive=True)
    except psutil.NoSuchProcess:
        return []
