"""The commands that make reports again."""

import subprocess
from dataclasses import replace
from types import SimpleNamespace

import pytest

from scoring.reports.reproduce import compare_again, score_again
from starter_kit import tasks
from tests.conftest import make_pools


def result_of(path, task, models=8):
    pools = make_pools(path.parent)
    pools = replace(pools, setting=replace(pools.setting, task=task))
    return SimpleNamespace(
        submission=SimpleNamespace(path=path), reference=SimpleNamespace(pools=pools, retrained=[None] * models)
    )


@pytest.fixture
def seen(tmp_path):
    """What make gets from a command line in a real shell."""

    def run(command, *names):
        lines = "\n".join(f"\t@printf '%s\\n' $(call quoted,$({name}))" for name in names)
        quoted = "quoted = '$(subst ','\\'',$(1))'\n"
        (tmp_path / "Makefile").write_text(f"{quoted}score compare:\n{lines}\n")
        found = subprocess.run(["sh", "-c", command], cwd=tmp_path, capture_output=True, text=True, check=True)
        return found.stdout.splitlines()

    return run


def test_a_request_and_a_size_are_options_of_their_own(tmp_path, seen):
    task = tasks.load("digits").asking_for(5)
    command = score_again(result_of(tmp_path / "mine.py", task))
    assert command == "make score SUBMISSION=mine.py TASK=digits MODELS=8 SEED=0 FORGET=5"
    assert seen(command, "TASK", "FORGET") == ["digits", "5"]


@pytest.mark.parametrize("name", ["a b.py", "it's.py", "$(touch pwned).py", "a$b.py", "`touch pwned`.py", "=1+1.py"])
def test_a_name_of_any_kind_arrives_as_it_is(tmp_path, seen, name):
    command = score_again(result_of(tmp_path / name, tasks.load("digits")))
    assert seen(command, "SUBMISSION") == [name]
    assert not (tmp_path / "pwned").exists()


def test_a_comparison_names_all_of_its_submissions(tmp_path, seen):
    task = tasks.load("digits").asking_for(5)
    ranked = [result_of(tmp_path / name, task) for name in ("a b.py", "$c.py")]
    compared = SimpleNamespace(
        ranked=ranked, failed={tmp_path / "f.py": None}, unsuited={}, reference=ranked[0].reference
    )
    command = compare_again(compared)
    assert "FORGET=5" in command
    assert seen(command, "SUBMISSIONS") == ["$c.py a?b.py f.py"]
