"""What the tests share: one small store of finished pools, and the kit's own command line."""

import shutil
import signal
import sys
import tempfile
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import replace
from multiprocessing.util import Finalize
from pathlib import Path
from typing import Any

import pytest
import torch
from rich.console import Console
from typer.testing import CliRunner, Result

from scoring.cli import app
from scoring.jobs.job import Row
from scoring.jobs.original import Original
from scoring.jobs.own import OwnJob
from scoring.jobs.setting import Setting
from scoring.jobs.unlearned import UnlearnedJob
from scoring.run import prepare
from scoring.running import backends
from scoring.running.machines import cores
from scoring.running.pools import Pools
from scoring.running.progress import Progress
from scoring.untrusted.submission import read
from starter_kit import tasks
from starter_kit.task import Task
from starter_kit.tasks import digits

MODELS = 8


def pytest_xdist_auto_num_workers() -> int:
    """Three for two cores, because many tests wait for processes that they have started."""
    return min(3 * cores() // 2, 8)


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    """Nets this small are slower on more, and workers have one."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session", autouse=True)
def ctrl_c_stops():
    """A shell may make its background jobs ignore it. What the tests start does not, as in a terminal."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="session", autouse=True)
def own_temporary_folder():
    """Some tests look for what a run left behind, and other runs may be going on."""
    # Its name is short, because Ray adds much to it, and the name of a socket may have 107 bytes.
    folder = tempfile.mkdtemp(prefix="t")
    # At the exit, after multiprocessing has removed its own folder in it.
    Finalize(None, shutil.rmtree, [folder], {"ignore_errors": True}, exitpriority=-1000)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", folder)
        patch.setattr(tempfile, "tempdir", None)
        yield


@pytest.fixture(scope="session", autouse=True)
def wide_terminal():
    """One line per message, so that tests can look for sentences."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLUMNS", "300")
        patch.setenv("TERMINAL_WIDTH", "300")
        yield


@pytest.fixture(scope="module")
def brief_training():
    """Models of digits that learn little, for tests of what is done with models of any kind."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(digits, "RECIPE", replace(digits.RECIPE, epochs=2))
        yield


@contextmanager
def rough_ceilings():
    """Ceilings of few splits, where they do not matter."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("scoring.running.pools.SPLITS", 3)
        yield


@pytest.fixture(scope="module")
def few_splits():
    """Rough ceilings in all tests of a file."""
    with rough_ceilings():
        yield


def make_pools(store: Path, backend: str = "serial", workers: int = 1, seed: int = 0) -> Pools:
    return Pools(
        Setting(tasks.load("digits"), "cpu", seed),
        store,
        backends.load(backend),
        workers,
        Progress(Console(stderr=True)),
    )


def quiet_pools(store: Path, task: Task, backend: str = "serial", workers: int = 1, **changes: Any) -> Pools:
    """Pools of a task, without a word."""
    setting = replace(Setting(task, "cpu", 0), **changes)
    return Pools(setting, store, backends.load(backend), workers, Progress(Console(quiet=True)))


def run_of(setting: Setting, path: Path, original: Original) -> Callable[[int], Row]:
    """The function that makes a submission's unlearned model in this process, whether it learns itself or not."""
    submission = read(path)
    if submission.learns:
        return OwnJob(replace(setting, own=submission), "unlearned", limit=60, isolated=False).prepare()
    return UnlearnedJob(setting, submission, original, limit=60, isolated=False).prepare()


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store that holds everything that a submission is compared with."""
    folder = tmp_path_factory.mktemp("store")
    pools = make_pools(folder, "processes", 2)
    prepare(pools, MODELS)
    return folder


@pytest.fixture
def kit(store: Path, tmp_path: Path) -> Callable[..., Result]:
    """The program in this process, on 8 models, with the shared store and a report folder of its own."""

    def run(command: str, *arguments: object, backend: str = "serial") -> Result:
        options = {"--models": MODELS, "--store": store, "--out": tmp_path / "report", "--backend": backend}
        for name, value in options.items():
            if name not in arguments:
                arguments += (name, value)
        return CliRunner().invoke(app, [command, *map(str, arguments)])

    return run


@pytest.fixture
def invoke() -> Callable[..., Result]:
    """The program in this process, with these arguments alone."""
    return lambda *arguments: CliRunner().invoke(app, [*map(str, arguments)])


@pytest.fixture
def written(tmp_path: Path) -> Callable[[str], Path]:
    """Write a submission file."""

    def write(source: str) -> Path:
        path = tmp_path / "mine.py"
        path.write_text(source)
        return path

    return write


def command_line(store: Path, out: Path) -> list[str]:
    """A score of `finetune` as a real command."""
    options = ["--models", str(MODELS), "--store", str(store), "--out", str(out / "report"), "--workers", "2"]
    return [sys.executable, "-m", "scoring", "score", "submissions/finetune.py", "--bank", "none", *options]
