"""The Makefile as a person uses it, with the environment that the tests run in."""

import subprocess
import sys
from pathlib import Path

import pytest

from starter_kit.errors import InputError
from starter_kit.new import new
from tests.conftest import MODELS

ROOT = Path(__file__).parents[2]


def make(*arguments):
    command = ["make", "-C", str(ROOT), "--no-print-directory", f"VENV={sys.prefix}", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True)


def test_make_alone_lists_the_verbs():
    result = make()
    assert result.returncode == 0
    verbs = ("env", "new", "score", "compare", "tables", "bundle", "rehearse", "upload", "submissions", "lint", "test")
    for verb in verbs:
        assert f"make {verb} " in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 110


def test_make_score_hands_its_variables_on(store, tmp_path):
    result = make(
        "score",
        "SUBMISSION=submissions/random_labels.py",
        f"MODELS={MODELS}",
        "TASK=digits",
        "DEVICE=cpu",
        "SEED=0",
        f"OUT={tmp_path / 'a folder'}",
        f"STORE={store}",
    )
    assert result.returncode == 0, result.stderr
    assert "random_labels on digits, 8 models per pool" in result.stdout
    assert (tmp_path / "a folder" / "report.json").exists()


@pytest.mark.parametrize("variable", ["MODELS=4", "MODELS=many", "TASK=digit", "SUBMISSION=none.py"])
def test_make_score_fails_when_the_score_does(variable, store):
    result = make("score", variable, f"STORE={store}")
    assert result.returncode != 0
    assert variable.split("=")[1] in result.stderr or "--models" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("arguments", "command"),
    [
        (["score", "CHECKPOINTS=a zip", "MODELS=64"], "scoring score --models '64' --checkpoints 'a zip'"),
        (
            ["rehearse", "MODELS=512", "TASK=faces"],
            "scoring rehearse 'submissions/finetune.py' --task 'faces' --models '512'",
        ),
        (["bundle", "SUBMISSION=a.py", "COMPETITION=x"], "scoring bundle 'a.py' --competition 'x'"),
        (["upload", "SUBMISSION=a.py"], "scoring upload 'a.py'"),
        (["submissions", "COMPETITION=x"], "scoring submissions --competition 'x'"),
        (["compare", "SUBMISSIONS=a.py b.py", "SEED=1"], "scoring compare a.py b.py --seed '1'"),
    ],
)
def test_a_verb_passes_its_variables_on(arguments, command):
    result = make("-n", *arguments)
    assert result.returncode == 0, result.stderr
    # In any order, as make lists its variables.
    assert sorted(command.split()) == sorted(result.stdout.split()[2:]), result.stdout


def test_an_environment_that_does_not_exist():
    result = subprocess.run(["make", "-C", str(ROOT), "score", "VENV=nowhere"], capture_output=True, text=True)
    assert result.returncode != 0
    assert "VENV=nowhere is not an environment" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["score", "MODEL=16"], "No such option: --model (Possible options: --help, --models)"),
        (["score", "submissions/retrain.py"], "Name the file with SUBMISSION=submissions/retrain.py"),
        (["score", "SUBMISSIONS=submissions/retrain.py"], "No such option: --submissions"),
        (["compare", "SUBMISSION=submissions/retrain.py"], "No such option: --submission"),
        (["score", "SUBMISSION=a.py", "CHECKPOINTS=a.zip"], "Expected SUBMISSION= or CHECKPOINTS=, found both"),
        (["rehearse", "CHECKPOINTS=a.zip"], "No such option: --checkpoints"),
        (["upload", "PRECISION=single"], "No such option: --precision"),
        (["score", "NAME=mine"], "No such option: --name"),
    ],
)
def test_what_would_be_ignored_is_refused(arguments, message):
    result = make(*arguments)
    assert result.returncode != 0
    assert message in result.stderr
    assert "Traceback" not in result.stderr


def test_new_copies_the_template_and_overwrites_nothing(tmp_path):
    path = new("mine", tmp_path)
    assert path == tmp_path / "mine.py"
    assert "def unlearning(net" in path.read_text()
    assert str(path) in path.read_text()
    path.write_text("edited")
    with pytest.raises(InputError, match=r"mine.py already exists. Choose another NAME"):
        new("mine", tmp_path)
    assert path.read_text() == "edited"


@pytest.mark.parametrize("name", ["", "my method", "2fast", "../mine", "class", "mine.py"])
def test_new_refuses_what_is_no_name(name, tmp_path):
    with pytest.raises(InputError, match="NAME: expected letters, digits and underscores"):
        new(name, tmp_path)
    result = make("new", f"NAME={name}")
    assert result.returncode != 0
    assert "NAME: expected" in result.stderr
    assert "Traceback" not in result.stderr
