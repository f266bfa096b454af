"""What the commands refuse before any work, and their help."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--models", "7"], "expected at least 8 models, found 7"),
        (["--models", "many"], "Invalid value for '--models'"),
        (["--device", "tpu9"], "'tpu9' is unavailable on this machine"),
        (["--backend", "cloud"], "expected one of processes, serial, found 'cloud'"),
        (["--seed", "-1"], "Invalid value for '--seed'"),
        (["--workers", "0"], "Invalid value for '--workers'"),
    ],
)
def test_bad_options(kit, options, message):
    result = kit("score", "submissions/identity.py", *options)
    assert result.exit_code == 2
    assert message in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--task", "digit"], "There is no task 'digit'. Did you mean 'digits'?"),
        (["--task", "faces:10"], "faces: expected at least 600 pictures, found 10"),
        (["--task", "digits", "--data", "."], "The task digits reads no folder"),
        (["--task", "surf"], "CASIA-SURF is not in out/data/casia-surf"),
    ],
)
def test_a_task_that_is_unavailable(kit, options, message):
    result = kit("score", "submissions/identity.py", *options)
    assert result.exit_code == 1
    assert message in result.stderr
    assert "Traceback" not in result.stderr


def test_help_names_every_command():
    result = subprocess.run([sys.executable, "-m", "scoring", "--help"], capture_output=True, text=True, cwd=ROOT)
    assert result.returncode == 0
    for command in ("score", "compare", "judge"):
        assert command in result.stdout
