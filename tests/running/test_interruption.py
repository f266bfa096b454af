"""Real processes that are killed, interrupted, and started twice at once."""

import os
import random
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

from scoring.judging.ceiling import models_needed
from scoring.reports.files import load_outputs
from tests.conftest import MODELS, command_line

ROOT = Path(__file__).parents[2]

SPLITS = 4
LITTLE_WORK = f"""
from dataclasses import replace
from scoring.running import pools
from starter_kit.tasks import digits
digits.RECIPE = replace(digits.RECIPE, epochs=1)
pools.SPLITS = {SPLITS}
from scoring.cli import main
main()
"""
"""The program, on a task that takes less work, with a ceiling that does."""


def command(store, out):
    python, _, _, *arguments = command_line(store, out)
    return [python, "-c", LITTLE_WORK, *arguments]


def start(store, out):
    """A run in a session of its own, so that all its processes can be found."""
    return subprocess.Popen(
        command(store, out),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def processes_of(session):
    listed = subprocess.run(["ps", "-A", "-o", "sess=,stat="], capture_output=True, text=True).stdout
    return [line for line in listed.splitlines() if line.split()[0] == str(session) and "Z" not in line.split()[1]]


def rows_in(store):
    return len(list(store.glob("*/*.row")))


def all_outputs(folder):
    names = ("unlearned", "retrained")
    return {name: load_outputs(folder / "report" / f"{name}.npz").arrays() for name in names}


def assert_same_bits(one, other):
    for name, arrays in one.items():
        for field in arrays.keys() - {"seconds", "retraining_seconds"}:
            assert arrays[field].tobytes() == other[name][field].tobytes(), (name, field)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """The outputs of a run that nobody killed."""
    folder = tmp_path_factory.mktemp("undisturbed")
    subprocess.run(command(folder / "store", folder), cwd=ROOT, check=True, capture_output=True)
    return all_outputs(folder)


@pytest.mark.slow
def test_killed_at_random_moments_it_gives_the_same_bits(undisturbed, tmp_path):
    moments = random.Random()
    store = tmp_path / "store"
    for _ in range(2):
        killed_before, seconds = rows_in(store), moments.uniform(3, 8)
        run = start(store, tmp_path)
        try:
            run.wait(seconds)
        except subprocess.TimeoutExpired:
            run.send_signal(signal.SIGKILL)
        run.communicate()
        assert rows_in(store) >= killed_before
        deadline = time.monotonic() + 20
        while processes_of(run.pid) and time.monotonic() < deadline:
            time.sleep(0.1)
        assert not processes_of(run.pid), "workers outlive the run that was killed"
    run = start(store, tmp_path)
    _, errors = run.communicate(timeout=300)
    assert run.returncode == 0, errors
    assert_same_bits(all_outputs(tmp_path), undisturbed)


def test_two_runs_on_one_store_share_the_work(undisturbed, tmp_path):
    runs = [start(tmp_path / "store", tmp_path / name) for name in ("one", "other")]
    said = [run.communicate(timeout=300)[1] for run in runs]
    assert [run.returncode for run in runs] == [0, 0], said
    for name in ("one", "other"):
        assert_same_bits(all_outputs(tmp_path / name), undisturbed)
    made = sum(int(count) for text in said for count in re.findall(r"(\d+) made in", text))
    assert made == 1 + models_needed(MODELS) + MODELS + SPLITS, said
    assert "another run is making this pool; waiting for it" in "".join(said)


def test_ctrl_c_stops_all_of_it_and_the_next_run_goes_on(undisturbed, tmp_path):
    store = tmp_path / "store"
    run = start(store, tmp_path)
    while rows_in(store) < 3:
        time.sleep(0.05)
        assert run.poll() is None
    # What a terminal does: every process of the group gets it.
    os.killpg(run.pid, signal.SIGINT)
    _, errors = run.communicate(timeout=30)
    assert run.returncode == 130
    assert "Stopped. Finished models are kept; the same command continues from there." in errors
    assert "Traceback" not in errors
    assert rows_in(store) >= 3
    run = start(store, tmp_path)
    _, errors = run.communicate(timeout=300)
    assert run.returncode == 0, errors
    assert_same_bits(all_outputs(tmp_path), undisturbed)
