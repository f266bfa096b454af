"""A hosted competition on digits, and a machine that scores as Codabench's worker does."""

import io
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from scoring.cli import app
from starter_kit.bubblewrap import folders_above, walls
from tests.untrusted.test_bubblewrap import needs_bubblewrap

MODELS, SEED = 32, 424242424242424242

__all__ = ["needs_bubblewrap"]


@pytest.fixture(scope="session")
def host_store(tmp_path_factory):
    return tmp_path_factory.mktemp("store")


@pytest.fixture(scope="session")
def host(host_store, tmp_path_factory):
    """``make host`` with some options, as a folder."""

    def host(kind, *options):
        folder = tmp_path_factory.mktemp(kind)
        arguments = ["host", "--kind", kind, "--seed", SEED, "--models", MODELS, "--out", folder, "--workers", 2]
        result = CliRunner().invoke(app, [*map(str, arguments), "--store", str(host_store), *map(str, options)])
        assert result.exit_code == 0, result.stderr
        return folder

    return host


@pytest.fixture(scope="session")
def codabench(host):
    """A competition that takes code."""
    return host("codabench")


@dataclass(frozen=True)
class Scored:
    """What came out of a container."""

    output: Path
    code: int
    printed: str

    def __getitem__(self, name: str) -> str:
        return (self.output / name).read_text()

    @property
    def names(self) -> set[str]:
        return {path.name for path in self.output.iterdir()}


@dataclass(frozen=True)
class Worker:
    """Codabench's worker: it unpacks what it gets into folders, mounts them, and runs the program's command.

    Its containers are walled off by bubblewrap here; the names of the folders, the command and its variables are those
    of compute_worker.py. A submission without metadata.yaml is copied, and then handed to the scoring program.
    """

    folder: Path

    def score(
        self, competition: Path, submission: bytes, unpacked: Callable[[Path], None] = lambda folder: None
    ) -> Scored:
        """Score the zip of a participant. ``unpacked`` is called with the worker's folder when all is unpacked."""
        shutil.rmtree(self.folder, ignore_errors=True)
        described = yaml.safe_load((competition / "competition/competition.yaml").read_text())
        (task,) = described["tasks"]
        bundles = {
            "program": (competition / "competition" / task["scoring_program"]).read_bytes(),
            "input/ref": (competition / "competition" / task["reference_data"]).read_bytes(),
            "input/res": submission,
        }
        for name, content in bundles.items():
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                archive.extractall(self.folder / name)
        # The worker writes how the step before ended.
        (self.folder / "input/res").mkdir(exist_ok=True)
        (self.folder / "input/res/metadata").write_text("exitCode: null\n")
        (self.folder / "output").mkdir()
        unpacked(self.folder)
        command = yaml.safe_load((self.folder / "program/metadata.yaml").read_text())["command"]
        command = command.replace("$input", "/app/input").replace("$output", "/app/output").split()
        ran = subprocess.run([*self._container(), *command], capture_output=True, text=True, timeout=300)
        return Scored(self.folder / "output", ran.returncode, ran.stdout + ran.stderr)

    def _container(self) -> list[str]:
        environment = {"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", "PYTHONUNBUFFERED": "1", "HOME": "/tmp"}
        command = [*walls(environment | {"OMP_NUM_THREADS": "1"}, 1 << 30), "--unshare-user-try"]
        command += folders_above([Path("/app/program")])
        for name in ("program", "input", "output"):
            command += ["--bind", str(self.folder / name), f"/app/{name}"]
        return [*command, "--chdir", "/app/program", "--"]


@pytest.fixture
def worker(tmp_path):
    return Worker(tmp_path / "worker")


def zip_of(**files: str | bytes) -> bytes:
    """A participant's zip; __ in a name stands for a slash."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(name if name.startswith("__") else name.replace("__", "/"), content)
    return buffer.getvalue()
