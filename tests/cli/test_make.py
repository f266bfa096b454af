"""The Makefile as a person uses it, with the environment that the tests run in."""

import subprocess
import sys
from pathlib import Path

import pytest

from scoring.compare import REFERENCE_ROWS
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
    verbs = ("env", "new", "score", "compare", "bundle", "rehearse", "upload", "submissions", "lint", "test")
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


@pytest.fixture
def arguments_of(tmp_path):
    """What the program receives from make: an environment whose Python writes its arguments down."""
    listing = tmp_path / "an environment" / "listing"
    program = tmp_path / "an environment" / "bin" / "python"
    program.parent.mkdir(parents=True)
    program.write_text(f"#!/bin/sh\nprintf '%s\\0' \"$@\" > '{listing}'\n")
    program.chmod(0o755)

    def run(*arguments, folder=ROOT):
        command = ["make", "-C", str(folder), "-f", str(ROOT / "Makefile"), "--no-print-directory"]
        command += [f"VENV={program.parents[1]}", *arguments]
        result = subprocess.run(command, capture_output=True, text=True)
        assert result.returncode == 0, result.stderr
        assert result.stdout == result.stderr == ""
        return listing.read_text().split("\0")[2:-1]

    return run


HOSTILE = [
    "my file's.py",
    'a "quoted" name.py',
    "a;touch pwned.py",
    "a&touch pwned.py",
    "a|touch pwned",
    "$(shell touch pwned)",
    "$(touch pwned)",
    "${HOME}",
    "$HOME",
    "$$HOME",
    "$",
    "`touch pwned`",
    "'; touch pwned; '",
    "'$(touch pwned)'",
    "a [1] (2) {3,4}.py",
    "a*.py",
    "~",
    "#comment",
    "a#b.py",
    "back\\slash\\",
    "\\'",
    "!history",
    "%.py",
    "a:b=c,d.py",
    "  two  spaces  ",
    "-n",
    "größe.py",
    "$(error no)",
    ">pwned",
    "a\ttab",
]


@pytest.mark.parametrize("value", HOSTILE)
class TestNamesReachTheProgramUnharmed:
    def test_as_an_option(self, arguments_of, tmp_path, value):
        (tmp_path / "empty").mkdir()
        arguments = arguments_of("score", f"OUT={value}", folder=tmp_path / "empty")
        assert arguments == ["score", "--out", value.lstrip(" ")]
        assert not list((tmp_path / "empty").iterdir())

    @pytest.mark.parametrize("verb", ["score", "bundle"])
    def test_as_a_file(self, arguments_of, tmp_path, verb, value):
        (tmp_path / "empty").mkdir()
        (_, file) = arguments_of(verb, f"SUBMISSION={value}", folder=tmp_path / "empty")
        assert file == f"{'./' if value == '-n' else ''}{value.lstrip(' ')}"
        assert not list((tmp_path / "empty").iterdir())

    def test_as_a_name(self, arguments_of, tmp_path, value):
        (tmp_path / "empty").mkdir()
        assert arguments_of("new", f"NAME={value}", folder=tmp_path / "empty") == ["new", "--", value.lstrip(" ")]
        assert not list((tmp_path / "empty").iterdir())

    @pytest.mark.parametrize(("verb", "variable"), [("gpu", "SECONDS"), ("soak", "KILLS")])
    def test_as_a_number(self, arguments_of, tmp_path, verb, variable, value):
        (tmp_path / "empty").mkdir()
        assert arguments_of(verb, f"{variable}={value}", folder=tmp_path / "empty") == [value.lstrip(" ")]
        assert not list((tmp_path / "empty").iterdir())

    def test_in_a_list(self, arguments_of, tmp_path, value):
        """Where a space separates."""
        (tmp_path / "empty").mkdir()
        _, *files = arguments_of("compare", f"SUBMISSIONS={value} b.py", folder=tmp_path / "empty")
        assert files == [*(f"{'./' if one[0] in '-[' else ''}{one}" for one in value.split()), "b.py"]
        assert not list((tmp_path / "empty").iterdir())


def test_a_list_is_matched_as_in_the_shell(arguments_of, tmp_path):
    folder = tmp_path / "methods"
    folder.mkdir()
    for name in ("a1.py", "a2.py", "b c;d.py", "-e.py", "$(touch pwned).py"):
        (folder / name).touch()
    _, *files = arguments_of("compare", "SUBMISSIONS=a[1-2].py b?c*.py -*.py missing*.py", folder=folder)
    assert files == ["a1.py", "a2.py", "b c;d.py", "./-e.py", "missing*.py"]
    _, *files = arguments_of("compare", "SUBMISSIONS=*.py", folder=folder)
    assert sorted(files) == sorted(f"./{path.name}" for path in folder.iterdir())


def test_a_default_from_the_environment_is_only_a_name(arguments_of, tmp_path, monkeypatch):
    monkeypatch.setenv("SUBMISSION", "$(shell touch pwned)'.py")
    (tmp_path / "empty").mkdir()
    assert arguments_of("bundle", folder=tmp_path / "empty") == ["bundle", "$(shell touch pwned)'.py"]
    assert not list((tmp_path / "empty").iterdir())


@pytest.mark.parametrize("variable", ["SUBMISSION", "SUBMISSIONS", "OUT", "NAME"])
def test_a_line_break_is_refused(variable):
    result = make("score", f"{variable}=a\ntouch pwned")
    assert result.returncode != 0
    assert f"{variable} has a line break, which make cannot pass on." in result.stderr
    assert not (ROOT / "pwned").exists()


def test_an_environment_that_does_not_exist():
    result = subprocess.run(["make", "-C", str(ROOT), "score", "VENV=nowhere"], capture_output=True, text=True)
    assert result.returncode != 0
    assert "VENV=nowhere is not an environment" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["score", "MODEL=16"], "MODEL=16 would be ignored. Leave it out; MODELS= says how many are made."),
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


@pytest.mark.parametrize("name", [*REFERENCE_ROWS, "_mine"])
def test_new_refuses_what_no_comparison_ranks(name, tmp_path):
    with pytest.raises(InputError, match=f"leaves out names that begin with an underscore; found '{name}'"):
        new(name, tmp_path)
    assert not list(tmp_path.iterdir())


def test_the_lines_of_a_new_file_are_no_longer_than_lint_allows(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("submissions").mkdir()
    assert max(map(len, new("x" * 40).read_text().splitlines())) <= 120


def test_new_says_what_a_disk_says(tmp_path):
    with pytest.raises(InputError, match=r"… \(\d+ characters\): File name too long.$"):
        new("x" * 300, tmp_path)


@pytest.mark.parametrize(
    "name", ["", "my method", "a\x1b[31m", "x" * 1000 + "-", "2fast", "../mine", "class", "mine.py"]
)
def test_new_refuses_what_is_no_name(name, tmp_path):
    with pytest.raises(InputError, match="NAME: expected letters, digits and underscores"):
        new(name, tmp_path)
    result = make("new", f"NAME={name}")
    assert result.returncode != 0
    assert "NAME: expected" in result.stderr
    assert "Traceback" not in result.stderr
