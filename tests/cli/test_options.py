"""What the commands refuse before any work, and their help."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

USAGE, INPUT = 2, 1
"""Exit codes: an option that cannot be, and one whose task or file is at fault."""


@pytest.mark.parametrize(
    ("options", "exit_code", "message"),
    [
        (["--models", "7"], USAGE, "expected at least 8 models, found 7"),
        (["--models", "many"], USAGE, "Invalid value for '--models'"),
        (["--device", "tpu9"], USAGE, "'tpu9' is unavailable on this machine. Expected cpu, cuda, cuda:1 or mps"),
        (["--backend", "cloud"], USAGE, "expected one of processes, ray, serial, found 'cloud'"),
        (["--seed", "-1"], USAGE, "Invalid value for '--seed'"),
        (["--workers", "0"], USAGE, "Invalid value for '--workers'"),
        (["--task", "digit"], INPUT, "There is no task 'digit'. Did you mean 'digits'?"),
        (["--task", "faces:10"], INPUT, "faces: expected at least 600 pictures, found 10"),
        (["--task", "digits", "--data", "."], INPUT, "The task digits reads no folder"),
        (["--task", "surf"], INPUT, "CASIA-SURF is not in out/data/casia-surf"),
    ],
)
def test_options_that_are_refused(kit, tmp_path, options, exit_code, message):
    result = kit("score", "submissions/identity.py", *options, "--store", tmp_path / "store")
    assert result.exit_code == exit_code
    assert message in result.stderr
    assert "Traceback" not in result.stderr
    assert not (tmp_path / "store").exists()


def test_help_names_every_command_and_imports_nothing_heavy():
    listing = "import sys, atexit; atexit.register(lambda: print(*{'torch', 'matplotlib'} & sys.modules.keys()))"
    program = f"{listing}; sys.argv[1:] = ['--help']; from scoring.cli import main; main()"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT)
    assert result.returncode == 0
    verbs = ["new", "score", "compare", "judge", "export", "bundle", "rehearse", "upload", "submissions"]
    listed = [line.split()[1] for line in result.stdout.splitlines() if line.startswith("│ ") and line.split()[1:]]
    assert set(verbs) <= set(listed)
    assert result.stdout.splitlines()[-1] == "", "torch or matplotlib was imported"
