"""Runs, programs and their processes that end or are killed: nothing that they started outlives them."""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
from pathlib import Path

import psutil
import pytest

from scoring.running.pools import Pools
from starter_kit.errors import SubmissionError
from tests.conftest import make_pools
from tests.untrusted.conftest import HONEST, error_of, unlearned

TO_BEGIN = 120
"""Seconds that a program may take until its first run begins, where the machine is busy."""


@pytest.fixture
def sleepers():
    """Starts three processes, in a submission, that sleep for a time of their own; and finds those that still do."""
    seconds = f"9{os.getpid()}{time.monotonic_ns() % 10**6}"

    def left():
        return [one for one in psutil.process_iter() if _arguments_of(one) == ["sleep", seconds]]

    start = f"""
    subprocess.Popen(["sleep", "{seconds}"])
    subprocess.Popen(["sleep", "{seconds}"], start_new_session=True)
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.execvp("sleep", ["sleep", "{seconds}"])
        os._exit(0)
    os.wait()
    """
    yield start, left
    for one in left():
        one.kill()


def _arguments_of(process):
    try:
        return process.cmdline()
    except psutil.Error:
        return []


@pytest.mark.parametrize(
    "ending", [HONEST, "raise RuntimeError", "os._exit(0)", "os.kill(os.getpid(), signal.SIGKILL)"]
)
def test_a_run_leaves_no_process_behind(pools, submission, sleepers, ending):
    start, left = sleepers
    one = submission(f"{textwrap.dedent(start)}\n{ending}")
    if ending == HONEST:
        unlearned(pools, one, 2)
    else:
        error_of(pools, one)
    assert left() == []


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_ending_the_program_ends_all_that_a_submission_started(store, submission, sleepers, tmp_path, how):
    start, left = sleepers
    one = submission(f"{textwrap.dedent(start)}\ntime.sleep(1000)")
    options = ["--models", "8", "--store", str(store), "--out", str(tmp_path / "report"), "--workers", "2"]
    command = [sys.executable, "-m", "scoring", "score", str(one.path), *options]
    run = subprocess.Popen(command, cwd=Path(__file__).parents[2], stderr=subprocess.PIPE, text=True)
    # The first run comes alone.
    wait_until(lambda: len(left()) == 3, TO_BEGIN)
    processes = psutil.Process(run.pid).children(recursive=True)
    assert len(processes) > 3
    run.send_signal(how)
    _, said = run.communicate(timeout=30)
    if how != signal.SIGKILL:
        assert "Stopped. Finished models are kept; the same command continues from there." in said
        assert "Traceback" not in said
        assert run.returncode == 130
    wait_until(lambda: not left() and not any(one.is_running() for one in processes))


def wait_until(condition, seconds=30):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_run_past_its_limit_is_ended(store, submission):
    pools = make_pools(store, "processes", 1)
    one = submission("helper()", "def helper():\n    while True: time.sleep(1)")
    start = time.monotonic()
    with pytest.raises(SubmissionError) as caught:
        Pools(**(vars(pools) | {"limit": 1.5})).unlearned(one, 1)
    assert time.monotonic() - start < 10
    assert "mine.py failed in run 0: it was stopped at line 3 in helper after 1.5 seconds." in str(caught.value)
    assert "LIMIT=SECONDS" in str(caught.value)


def started_with(environment):
    """The processes that inherited a test's own variable."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            found += [process] * (
                process.environ().get("A_PROGRAM_OF_THE_TESTS") == environment["A_PROGRAM_OF_THE_TESTS"]
            )
    return found


@pytest.mark.parametrize("which", ["run", "keeper", "worker", "fork server"])
def test_a_process_that_somebody_kills_costs_nothing(store, submission, sleepers, tmp_path, which):
    """Whichever it is, its work is made again, and what a run had started does not stay."""
    start, left = sleepers
    fork = "if not os.fork():\n    os.setsid()\n    time.sleep(1000)"
    one = submission(f"{fork}\n{textwrap.dedent(start)}\ntime.sleep(0.2)\n{HONEST}")
    options = ["--models", "8", "--store", str(store), "--out", str(tmp_path / "report"), "--workers", "1"]
    command = [sys.executable, "-m", "scoring", "score", str(one.path), *options]
    environment = os.environ | {"A_PROGRAM_OF_THE_TESTS": str(tmp_path)}
    folders = set(Path(tempfile.gettempdir()).glob("run-*"))
    with subprocess.Popen(
        command, cwd=Path(__file__).parents[2], stderr=subprocess.PIPE, text=True, env=environment
    ) as program:
        wait_until(lambda: len(left()) == 3, TO_BEGIN)
        sleeper = next(one for one in left() if one.ppid() != program.pid and one.parent().name() != "sleep")
        server = next(one for one in psutil.Process(program.pid).children() if "forkserver" in str(one.cmdline()))
        run = next(one for one in sleeper.parents() if one.ppid() in {child.pid for child in server.children()})
        keeper = run.parent()
        worker = next(child for child in server.children() if child.pid != keeper.pid)
        {"run": run, "keeper": keeper, "worker": worker, "fork server": server}[which].kill()
        _, said = program.communicate(timeout=120)
    assert program.returncode == 0, said
    wait_until(lambda: not left() and not started_with(environment))
    assert set(Path(tempfile.gettempdir()).glob("run-*")) <= folders


def test_a_run_ends_when_all_that_could_end_it_is_killed_at_once(store, submission, tmp_path):
    """The keeper, which watches it, and the judge, which would adopt it."""
    one = submission("open('started', 'w').close()\ntime.sleep(1000)")
    options = ["--models", "8", "--store", str(store), "--out", str(tmp_path / "report"), "--workers", "1"]
    command = [sys.executable, "-m", "scoring", "score", str(one.path), *options]
    environment = os.environ | {"A_PROGRAM_OF_THE_TESTS": str(tmp_path), "TMPDIR": str(tmp_path)}
    with subprocess.Popen(
        command, cwd=Path(__file__).parents[2], stderr=subprocess.DEVNULL, env=environment
    ) as program:
        wait_until(lambda: any(tmp_path.glob("run-*/started")), TO_BEGIN)
        server = next(one for one in psutil.Process(program.pid).children() if "forkserver" in str(one.cmdline()))
        keeper, run = next((one, one.children()[0]) for one in server.children() if one.children())
        for process in (program, keeper):
            process.kill()
    psutil.wait_procs([run], timeout=20)
    assert not run.is_running()
    wait_until(lambda: not started_with(environment))


@pytest.mark.skipif(sys.platform != "linux", reason="ptrace as on Linux")
def test_a_tracer_does_not_hold_back_the_end_of_a_run(pools, submission):
    """A tracer learns of a process's death before its parent, and the parent waits until the tracer has reacted."""
    body = f"""
    ready, tell = os.pipe()
    if os.fork() == 0:
        os.setsid()
        ctypes.CDLL(None).ptrace(0x4206, os.getppid(), None, None)
        os.write(tell, b"x")
        time.sleep(1000)
    os.read(ready, 1)
    {HONEST}
    """
    start = time.monotonic()
    assert len(unlearned(pools, submission(body), 2)) == 2
    assert time.monotonic() - start < 60
