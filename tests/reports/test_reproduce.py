"""The commands that make reports again."""

import os
import subprocess
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from scoring.reports.reproduce import compare_again, score_again
from starter_kit import tasks
from tests.conftest import make_pools

ROOT = Path(__file__).parents[2]


def result_of(path, task, models=8):
    pools = make_pools(path.parent)
    pools = replace(pools, setting=replace(pools.setting, task=task))
    return SimpleNamespace(
        submission=SimpleNamespace(path=path), reference=SimpleNamespace(pools=pools, retrained=[None] * models)
    )


@pytest.fixture
def passed_on(tmp_path):
    """What the program gets from a command line, through a real shell and the real Makefile."""
    stand_in = tmp_path / "venv/bin/python"
    stand_in.parent.mkdir(parents=True)
    stand_in.write_text('#!/bin/sh\nfor one; do printf "%s\\n" "$one"; done\n')
    stand_in.chmod(0o700)

    def run(command):
        environment = {"PATH": os.environ["PATH"], "VENV": str(tmp_path / "venv")}
        command = command.replace("make ", f"make -s -f {ROOT}/Makefile VENV=venv ", 1)
        found = subprocess.run(["sh", "-c", command], cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert found.returncode == 0, found.stderr
        return found.stdout.splitlines()[2:]

    return run


def test_a_request_is_an_option_of_its_own(tmp_path, passed_on):
    task = tasks.load("digits").asking_for(5)
    command = score_again(result_of(tmp_path / "mine.py", task))
    assert command == "make score SUBMISSION=mine.py TASK=digits MODELS=8 SEED=0 FORGET=5"
    words = passed_on(command)
    assert words[0] == "score"
    assert words[words.index("--forget") + 1] == "5"
    assert words[words.index("--task") + 1] == "digits"


@pytest.mark.parametrize("name", ["a b.py", "it's.py", "$(touch pwned).py", "a$b.py", "`touch pwned`.py", "=1+1.py"])
def test_a_name_of_any_kind_arrives_as_it_is(tmp_path, passed_on, name):
    command = score_again(result_of(tmp_path / name, tasks.load("digits")))
    assert passed_on(command)[:2] == ["score", name]
    assert not (tmp_path / "pwned").exists()


def test_a_comparison_names_all_of_its_submissions(tmp_path, passed_on):
    task = tasks.load("digits").asking_for(5)
    ranked = [result_of(tmp_path / name, task) for name in ("a b.py", "$c.py")]
    compared = SimpleNamespace(
        ranked=ranked, failed={tmp_path / "f.py": None}, unsuited={}, reference=ranked[0].reference
    )
    command = compare_again(compared)
    assert "FORGET=5" in command
    for name in ("a b.py", "$c.py", "f.py"):
        (tmp_path / name).touch()
    assert passed_on(command)[:4] == ["compare", "$c.py", "a b.py", "f.py"]
