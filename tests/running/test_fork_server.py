import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

START = """
import os, pickle
from multiprocessing import forkserver
from scoring.running import fork_server
fork_server.context()
whole = pickle.dumps({}) + pickle.dumps(list(range(1000)))
for sent in (b"", pickle.dumps({}), whole[:-100], pickle.dumps({}) + b"cnowhere\\nnothing\\n."):
    status, to_child = forkserver.connect_to_new_process([])
    os.write(to_child, sent)
    os.close(to_child)
    assert os.read(status, 100), "the process has not ended"
"""


def test_a_process_whose_start_is_cut_off_says_nothing_and_any_other_error_shows():
    """The program is killed before it sends anything, between two parts, and within one. The last part is wrong."""
    result = subprocess.run([sys.executable, "-c", START], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert result.stderr.count("Traceback") == 1
    assert result.stderr.endswith("ModuleNotFoundError: No module named 'nowhere'\n")


@pytest.fixture
def begin():
    """Starts the program in a session of its own, and returns it when its fork server has begun to import."""
    started = []

    def start(*arguments):
        command = [sys.executable, "-m", "scoring", "score", *arguments]
        root = Path(__file__).parents[2]
        program = subprocess.Popen(command, cwd=root, stderr=subprocess.PIPE, text=True, start_new_session=True)
        started.append(program)
        while not any("forkserver" in str(one.cmdline()) for one in psutil.Process(program.pid).children()):
            assert program.poll() is None, program.stderr.read()
            time.sleep(0.01)
        return program

    yield start
    for program in started:
        program.kill()
        program.communicate()


def test_it_ends_with_a_program_that_refuses_what_it_is_given(begin):
    program = begin("--models", "4")
    assert program.wait(timeout=60) == 2
    # One that has ended has no arguments.
    of_session = [one for one in psutil.process_iter(["cmdline"]) if _session_of(one) == program.pid]
    assert not any("forkserver" in str(one.info["cmdline"]) for one in of_session)


def test_ctrl_c_while_it_imports_shows_no_traceback(begin, tmp_path):
    program = begin("--store", str(tmp_path), "--out", str(tmp_path))
    os.killpg(program.pid, signal.SIGINT)
    _, said = program.communicate(timeout=60)
    assert program.returncode == 130
    assert "Traceback" not in said


def _session_of(process):
    try:
        return os.getsid(process.pid)
    except ProcessLookupError:
        return None
