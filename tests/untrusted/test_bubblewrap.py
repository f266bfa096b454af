"""Submissions in bubblewrap: what they reach, what they can fill, and that they score as they do without."""

import os
import shutil
import socket
import subprocess
import textwrap
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest

from scoring.running import backends
from scoring.running.backends import Options
from scoring.untrusted import bubblewrap, confinement
from scoring.untrusted.submission import read
from starter_kit.errors import InputError, SubmissionError
from tests.conftest import make_pools


def _works() -> bool:
    try:
        bubblewrap.check()
    except InputError:
        return False
    return True


needs_bubblewrap = pytest.mark.skipif(not _works(), reason="bubblewrap is not there, or does not work here")

SECRET = "UNLEARNING_KIT_TEST_SECRET"


def inside(program: str, **environment: str) -> str:
    """What a program of Python prints inside bubblewrap, where Landlock does not confine it."""
    user = bubblewrap.some_user()
    before = "import os, socket\n" + ("" if user is None else f"os.setuid({user})\n")
    ran = subprocess.run(
        bubblewrap.command(before + textwrap.dedent(program)),
        capture_output=True,
        text=True,
        timeout=60,
        env=os.environ | environment,
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.strip()


def outcome(expression: str, error: str = "OSError", **environment: str) -> str:
    """What an expression gives inside, or the name of the error that it raises."""
    return inside(
        f"""
        try:
            print(repr({expression}))
        except {error} as error:
            print(type(error).__name__, error)
        """,
        **environment,
    )


@needs_bubblewrap
class TestWalls:
    """The walls alone, without the confinement that runs enter as well."""

    def test_it_sees_the_system_and_python_and_nothing_else(self):
        seen = set(eval(inside("print(os.listdir('/'))")))
        above = {Path(place).parts[1] for place in {os.sys.base_prefix, os.sys.prefix}}
        assert seen <= {"bin", "sbin", "lib", "lib32", "lib64", "usr", "etc", "proc", "dev", "tmp", "kit"} | above

    def test_it_reads_no_file_of_yours(self):
        mine = Path.home() / f".{SECRET}"
        mine.write_text("secret")
        try:
            for path in (mine, Path(__file__)):
                # The second, if the checkout lies in the folder in whose place a run has its own.
                assert outcome(f"os.stat({str(path)!r})").startswith(("FileNotFoundError", "PermissionError"))
        finally:
            mine.unlink()

    def test_it_writes_nowhere_but_to_memory(self):
        for folder in ("/usr", "/etc", "/kit/scoring", os.sys.prefix, "/"):
            assert outcome(f"open({folder + '/x'!r}, 'w')").startswith(("OSError", "PermissionError"))

    def test_it_has_none_of_your_environment(self):
        assert SECRET not in inside("print(dict(os.environ))", **{SECRET: "password"})

    def test_it_sees_no_other_process(self):
        assert set(eval(inside("print([name for name in os.listdir('/proc') if name.isdigit()])"))) <= {"1", "2", "3"}
        assert outcome(f"os.kill({os.getpid()}, 0)").startswith("ProcessLookupError")

    def test_it_is_not_root(self):
        assert outcome("os.setuid(0)").startswith("PermissionError") or os.getuid()
        assert outcome("os.mkdir('/new')").startswith(("PermissionError", "OSError"))

    def test_it_reaches_no_network_not_even_this_machine(self):
        with socket.create_server(("127.0.0.1", 0)) as server, socket.socket(socket.AF_UNIX) as abstract:
            port = server.getsockname()[1]
            abstract.bind(f"\0{SECRET}")
            abstract.listen()
            assert outcome(f"socket.create_connection(('127.0.0.1', {port}), 2)").startswith("ConnectionRefused")
            assert outcome(f"socket.socket(socket.AF_UNIX).connect('\\0{SECRET}')").startswith("ConnectionRefused")
        udp = "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('192.0.2.1', 53))"
        assert "Network is unreachable" in outcome(udp)


@pytest.fixture
def pools(store):
    found = make_pools(store, "processes", 1)
    return replace(found, backend=backends.load("processes", Options(sandbox="bwrap")), limit=30.0)


@pytest.fixture
def submission(tmp_path):
    """A submission with this body."""

    def write(body: str):
        path = tmp_path / "mine.py"
        function = "def unlearning(net, retain, forget, val):\n" + textwrap.indent(textwrap.dedent(body), "    ")
        path.write_text(f"import os, resource, subprocess, sys, time, torch\n{function}\n")
        return read(path)

    return write


def error_of(pools, one) -> str:
    with pytest.raises(SubmissionError) as caught:
        pools.unlearned(one, 1)
    return str(caught.value)


HONEST = "for weight in net.parameters(): weight.data += 0.01 * torch.randn_like(weight)"
WITH_A_LOADER = """
from torch.utils.data import DataLoader
for inputs, targets in DataLoader(forget.dataset, 16, num_workers=2):
    for weight in net.parameters():
        weight.data += 0.01 * inputs.mean()
"""


@needs_bubblewrap
class TestRuns:
    """Whole runs of submissions."""

    @pytest.mark.parametrize("body", [HONEST, WITH_A_LOADER], ids=["in one process", "with a loader's processes"])
    def test_the_bits_are_those_without(self, pools, store, submission, body):
        one = submission(body)
        with_walls = pools.unlearned(one, 3).outputs
        without = make_pools(store.parent / "another", "processes", 1).unlearned(one, 3).outputs
        assert np.array_equal(with_walls.forget_confidence, without.forget_confidence)

    def test_a_submission_with_its_own_learning_runs(self, pools):
        one = read(Path("submissions/sisa.py"))
        assert len(pools.of(one).unlearned(one, 1).outputs) == 1

    def test_what_a_run_leaves_the_next_one_does_not_find(self, pools, submission):
        one = submission(
            f"""
            for folder in (".", "/tmp", "/dev/shm"):
                assert not os.path.exists(folder + "/left")
            for folder in ("/tmp", "/dev/shm"):
                open(folder + "/left", "w").write("a")
            {HONEST}
            """
        )
        assert len(pools.unlearned(one, 3).outputs) == 3

    def test_a_socket_that_no_network_namespace_holds_is_refused(self, pools, submission):
        said = error_of(pools, submission("import socket\nsocket.socket(40, socket.SOCK_STREAM)  # VSOCK"))
        assert "Operation not permitted" in said

    def test_the_disk_that_it_fills_is_its_own(self, pools, submission):
        one = submission(
            """
            with open("/tmp/large", "wb") as file:
                while True:
                    file.write(bytes(1 << 26))
            """
        )
        before = psutil.disk_usage("/").free
        assert "No space left on device" in error_of(pools, one)
        assert psutil.disk_usage("/").free > before - (1 << 28)

    def test_the_memory_that_it_fills_has_a_bound(self, pools, submission):
        most = int(bubblewrap.MEMORY * psutil.virtual_memory().total)
        one = submission(
            f"""
            assert resource.getrlimit(resource.RLIMIT_DATA) == ({most}, {most})
            # The system ends first what has the highest score.
            assert open("/proc/self/oom_score_adj").read() == "1000\\n"
            torch.zeros({most} // 4 + 1)
            """
        )
        assert "can't allocate memory" in error_of(pools, one)

    def test_a_fork_bomb_has_a_bound_and_leaves_nothing(self, pools, submission):
        one = submission(
            f"""
            children = 0
            try:
                while children < {2 * bubblewrap.PROCESSES}:
                    if not os.fork():
                        time.sleep(600)
                    children += 1
            except BlockingIOError:
                raise RuntimeError("stopped after", children)
            """
        )
        before = set(psutil.Process().children(recursive=True))
        said = error_of(pools, one)
        children = int(said.rpartition("RuntimeError: ('stopped after', ")[2].split(")")[0])
        assert 0 < children < bubblewrap.PROCESSES
        left = set(psutil.Process().children(recursive=True)) - before
        assert not [process for process in left if process.status() != psutil.STATUS_ZOMBIE]

    def test_a_process_that_outlives_its_run_is_ended(self, pools, submission):
        one = submission(
            f"""
            subprocess.Popen(["sleep", "4321"], start_new_session=True)
            {HONEST}
            """
        )
        pools.unlearned(one, 2)
        assert not [
            process for process in psutil.process_iter(["cmdline"]) if "4321" in (process.info["cmdline"] or [])
        ]

    def test_it_has_a_time_limit(self, pools, submission):
        said = error_of(replace(pools, limit=1.0), submission("while True: pass"))
        assert "after 1 seconds" in said

    def test_its_errors_name_the_line(self, pools, submission):
        assert 'mine.py", line 4' in error_of(pools, submission("net.eval()\nnet.no_such_thing()"))


def test_without_bubblewrap_it_says_how_to_get_it(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match="apt install bubblewrap"):
        backends.load("processes", Options(sandbox="bwrap"))


def test_without_landlock_it_is_refused(monkeypatch):
    """A run could otherwise take the place of its keeper, which the worker believes."""
    monkeypatch.setattr(confinement, "version", lambda: 0)
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    with pytest.raises(InputError, match="needs Landlock as well, which this kernel lacks"):
        backends.load("processes", Options(sandbox="bwrap"))


def test_a_bubblewrap_that_does_not_work_says_why(monkeypatch, tmp_path):
    program = tmp_path / "bwrap"
    program.write_text("#!/bin/sh\necho 'bwrap: No permissions to create a new namespace' >&2\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with pytest.raises(InputError, match="does not work here: bwrap: No permissions to create a new namespace"):
        backends.load("processes", Options(sandbox="bwrap"))


def test_another_backend_has_no_sandbox():
    with pytest.raises(InputError, match="SANDBOX=bwrap needs BACKEND=processes or ray, found serial"):
        backends.load("serial", Options(sandbox="bwrap"))


@needs_bubblewrap
def test_a_gpu_is_refused():
    machines = backends.load("processes", Options(sandbox="bwrap")).machines
    assert machines.device("") == "cpu"
    with pytest.raises(InputError, match="SANDBOX=bwrap works only with DEVICE=cpu, found DEVICE=cuda"):
        machines.device("cuda")
