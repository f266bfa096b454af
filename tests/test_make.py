"""The Makefile as a person uses it, with the environment that the tests run in."""

import subprocess
import sys
from pathlib import Path

import pytest

from starter_kit.new import new
from tests.conftest import MODELS

ROOT = Path(__file__).parents[1]


def make(*arguments):
    command = ["make", "-C", str(ROOT), "--no-print-directory", f"VENV={sys.prefix}", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True)


def test_make_alone_lists_the_verbs():
    result = make()
    assert result.returncode == 0
    verbs = ("env", "new", "score", "compare", "bundle", "rehearse", "upload", "submissions", "test", "check", "bench")
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
    assert "random_labels on digits, 8 models" in result.stdout
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
        (["score", "CHECKPOINTS=a zip", "MODELS=64"], "scoring score 'submissions/finetune.py' --checkpoints 'a zip'"),
        (["rehearse", "MODELS=512", "TASK=faces"], "scoring rehearse 'submissions/finetune.py' --task 'faces'"),
        (
            ["bundle", "SUBMISSION=a.py", "COMPETITION=x", "PRECISION=single"],
            "starter_kit.kaggle bundle 'a.py' --competition 'x' --precision 'single'",
        ),
        (["upload", "SUBMISSION=a.py"], "starter_kit.kaggle upload 'a.py'"),
        (["submissions", "COMPETITION=x"], "starter_kit.kaggle submissions --competition 'x'"),
    ],
)
def test_the_verbs_of_the_way_to_kaggle(arguments, command):
    result = make("-n", *arguments)
    assert result.returncode == 0, result.stderr
    assert command in " ".join(result.stdout.split())


def test_an_environment_that_is_not_there_is_told():
    result = subprocess.run(["make", "-C", str(ROOT), "score", "VENV=nowhere"], capture_output=True, text=True)
    assert result.returncode != 0
    assert "VENV=nowhere holds no environment" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["score", "MODEL=16"], "There is no variable MODEL. There are: PYTHON VENV NAME"),
        (["score", "submissions/retrain.py"], "Name the file with SUBMISSION=submissions/retrain.py"),
        (["score", "SUBMISSIONS=submissions/retrain.py"], "several are for make compare"),
        (["compare", "SUBMISSION=submissions/retrain.py"], "make compare takes SUBMISSIONS="),
        (["score", "SUBMISSION=submissions/retrain.py", "CHECKPOINTS=a.zip"], "SUBMISSION= or CHECKPOINTS=, not both"),
        (["rehearse", "CHECKPOINTS=a.zip"], "CHECKPOINTS= is for make score"),
        (["upload", "PRECISION=single"], "PRECISION= is for make bundle"),
        (["score", "NAME=mine"], "NAME= is for make new; name the file with SUBMISSION=submissions/mine.py"),
    ],
)
def test_what_would_be_ignored_is_refused(arguments, message):
    result = make("-n", *arguments)
    assert result.returncode != 0
    assert message in result.stderr


def test_new_copies_the_template_and_overwrites_nothing(tmp_path):
    path = new("mine", tmp_path)
    assert path == tmp_path / "mine.py"
    assert "def unlearning(net" in path.read_text()
    assert str(path) in path.read_text()
    path.write_text("edited")
    with pytest.raises(ValueError, match=r"mine.py is there already. Choose another NAME"):
        new("mine", tmp_path)
    assert path.read_text() == "edited"


@pytest.mark.parametrize("name", ["", "my method", "2fast", "../mine", "class", "mine.py"])
def test_new_refuses_what_is_no_name(name, tmp_path):
    with pytest.raises(ValueError, match="NAME: expected letters, digits and underscores"):
        new(name, tmp_path)
    result = make("new", f"NAME={name}")
    assert result.returncode != 0
    assert "NAME: expected" in result.stderr
    assert "Traceback" not in result.stderr
