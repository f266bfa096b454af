"""The static checks of a submission file: what is refused, what is accepted, what is warned about."""

from pathlib import Path

import pytest

from starter_kit.contract import check, read_source, warnings_of
from starter_kit.errors import SubmissionError

MINE = Path("mine.py")
HOOK = "def unlearning(net, retain, forget, val): ...\n"


def refusal(source):
    """The message with which a source is refused."""
    with pytest.raises(SubmissionError) as caught:
        check(MINE, source)
    return str(caught.value)


@pytest.mark.parametrize(
    ("source", "line", "message"),
    [
        ("x = 1\ndef unlearning(net, retain, forget, val)\n    return net", 2, "expected ':'"),
        ("def unlearning(net", 1, "'(' was never closed"),
    ],
)
def test_a_syntax_error_is_reported_with_its_line(source, line, message):
    reported = refusal(source)
    assert reported.startswith(f"mine.py, line {line}: {message}")
    assert reported.endswith(source.splitlines()[line - 1].strip())


@pytest.mark.parametrize(
    ("statement", "module"),
    [
        ("import scoring.running.store", "scoring.running.store"),
        ("import numpy, submissions.finetune as other", "submissions.finetune"),
        ("from starter_kit.networks.digit_net import DigitNet", "starter_kit.networks.digit_net"),
        ("from tests import toys", "tests"),
        ("from . import helpers", "."),
        ("from .helpers import help", ".helpers"),
    ],
)
@pytest.mark.parametrize("inside", [False, True], ids=["at the top", "in a function"])
def test_a_submission_cannot_import_the_kit_or_its_neighbours(statement, module, inside):
    source = f"def unlearning(net, retain, forget, val):\n    {statement}" if inside else f"{HOOK}{statement}"
    assert f"mine.py, line 2: a submission is uploaded as a single file and cannot import {module!r}" in refusal(source)


@pytest.mark.parametrize("statement", ["import scoring_rules", "import torch", "from tests_of_mine import x"])
def test_other_packages_are_not_mistaken_for_the_kit(statement):
    check(MINE, f"{statement}\n{HOOK}")


@pytest.mark.parametrize(
    "source",
    [
        "",
        "def forgetting(net, retain, forget, val): ...",
        "class Method:\n    def unlearning(net, retain, forget, val): ...",
        "def outer():\n    def unlearning(net, retain, forget, val): ...",
        "async def unlearning(net, retain, forget, val): ...",
    ],
    ids=["empty", "another name", "a method", "a nested function", "a coroutine"],
)
def test_a_file_without_the_function_is_refused(source):
    assert "mine.py has no function unlearning(net, retain, forget, val)" in refusal(source)


@pytest.mark.parametrize(
    "source",
    [
        f"if True:\n    {HOOK}else:\n    {HOOK}",
        f"try:\n    import apex\nexcept ImportError:\n    {HOOK}",
        f"with open('x') as file:\n    for line in file:\n        {HOOK}",
        "def best(net, retain, forget, val): ...\nunlearning = best",
        "from collections.abc import Callable\nunlearning: Callable = print",
        "from functools import partial\nfrom operator import add as unlearning",
        "import unlearning",
        "class unlearning:\n    def __new__(cls, net, retain, forget, val): ...",
    ],
    ids=["if", "try", "with and for", "assigned", "annotated", "imported as", "imported", "class"],
)
def test_the_function_may_be_defined_in_other_ways(source):
    check(MINE, source)


@pytest.mark.parametrize(
    "parameters",
    [
        "net, retain, forget, val",
        "a, b, c, d, /",
        "net, retain, forget, val, epochs=1",
        "net, retain=None, forget=None, val=None",
        "*everything",
        "net, *loaders",
        "net, retain, forget, val, *, epochs=1",
        "net, retain, forget, val, **options",
    ],
)
def test_parameters_that_fit_the_call(parameters):
    check(MINE, f"def unlearning({parameters}): ...")


@pytest.mark.parametrize(
    "parameters",
    [
        "",
        "net, retain, forget",
        "net, retain, forget, val, epochs",
        "net, retain, forget, *, val",
        "net, retain, forget, val, *, epochs",
        "a, b, c, d, e, *others",
        "**everything",
    ],
)
def test_parameters_that_do_not_fit_the_call(parameters):
    assert refusal(f"x = 1\ndef unlearning({parameters}): ...") == (
        f"mine.py, line 2: expected unlearning(net, retain, forget, val), found unlearning({parameters}), which cannot "
        "be called with 4 positional arguments."
    )


def test_a_file_is_read_as_it_is(tmp_path):
    source = f'"""Größe."""\n{HOOK}'
    (tmp_path / "mine.py").write_text(source, encoding="utf-8")
    assert read_source(tmp_path / "mine.py") == source


def test_a_file_in_another_encoding_is_refused(tmp_path):
    (tmp_path / "mine.py").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SubmissionError, match=r"mine.py is not a text file in UTF-8"):
        read_source(tmp_path / "mine.py")


def test_nothing_of_the_file_is_executed(tmp_path):
    (tmp_path / "mine.py").write_text(f"raise SystemExit\n{HOOK}")
    read_source(tmp_path / "mine.py")


@pytest.mark.parametrize(
    ("path", "hint"),
    [
        ("mine.py/", "is a folder. `make compare` ranks all submissions"),
        ("methods/fintune.py", "Did you mean methods/finetune.py?"),
        ("elsewhere/finetune", "Did you mean submissions/finetune.py?"),
        ("methods/nothing_like_it.py", "`make new NAME=mine` creates submissions/mine.py."),
    ],
)
def test_a_missing_file_is_reported_with_a_suggestion(tmp_path, monkeypatch, path, hint):
    monkeypatch.chdir(tmp_path)
    for folder in ("mine.py", "methods", "submissions"):
        (tmp_path / folder).mkdir()
    for folder in ("methods", "submissions"):
        (tmp_path / folder / "finetune.py").write_text(HOOK)
    with pytest.raises(SubmissionError) as caught:
        read_source(Path(path))
    assert hint in str(caught.value)


def test_a_file_that_needs_nothing_has_no_warnings():
    source = (
        "import json\nfrom pathlib import Path\nimport numpy.linalg\nimport torch\n"
        "from torchvision.models import vgg11\n"
        "DATA = open('/kaggle/input/data.csv')\nTEXT = Path('/kaggle/input/notes.txt').read_text()\n"
    )
    assert warnings_of(source + HOOK) == []


@pytest.mark.parametrize(
    ("statement", "package"),
    [("import json, somepackage.part", "somepackage"), ("from otherpackage.part import thing", "otherpackage")],
)
def test_a_package_that_kaggle_may_lack(statement, package):
    (warning,) = warnings_of(f"{HOOK}\n{statement}\n")
    assert warning.startswith(f"line 3: imports {package!r}, which Kaggle's image may lack")


@pytest.mark.parametrize(
    ("expression", "file"),
    [
        ("np.load('weights.npy')", "'weights.npy'"),
        ("torch.load(PATH)", "PATH"),
        ("open(folder / 'notes.txt')", "folder / 'notes.txt'"),
        ("Path('notes.txt').read_text()", "Path('notes.txt')"),
    ],
)
def test_a_file_that_will_not_exist_on_kaggle(expression, file):
    (warning,) = warnings_of(f"def unlearning(net, retain, forget, val):\n    x = {expression}\n")
    assert warning.startswith(f"line 2: reads the file {file}, which will not exist on Kaggle")


@pytest.mark.parametrize("prompt", [">>> x", "    >>> x", "In [3]: x"])
def test_a_line_that_a_notebook_may_take_for_a_prompt(prompt):
    (warning,) = warnings_of(f"{HOOK}TEXT = '''\n{prompt}\n'''\n")
    assert warning.startswith("line 3: begins with ")
    assert "which a notebook may take for a prompt" in warning
