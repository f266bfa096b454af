"""The notebook that goes to Kaggle, its metadata, and what is refused."""

import ast
import hashlib
import json
import sys
from pathlib import Path

import nbformat
import pytest
from IPython.core.inputtransformer2 import TransformerManager
from typer.testing import CliRunner

from scoring.cli.app import app
from starter_kit.contract import hooks_in
from starter_kit.errors import KaggleError, SubmissionError
from starter_kit.kaggle.bundle import bundle, current

ROOT = Path(__file__).parents[2]
SOURCE = '''"""Mine."""
from __future__ import annotations

import torch

HELPER = "my helper, \\u00e4"


def unlearning(net, retain, forget, val):
    """Changes little."""
    return net
'''


@pytest.fixture
def write(tmp_path):
    """Write a submission and bundle it."""

    def bundled(source=SOURCE, name="mine", **options):
        (tmp_path / f"{name}.py").write_text(source, encoding="utf-8")
        return bundle(tmp_path / f"{name}.py", folder=tmp_path / "bundles", **options)

    return bundled


def code_of(made):
    return [cell.source for cell in nbformat.read(made.notebook, as_version=4).cells if cell.cell_type == "code"]


FILES = [*sorted(ROOT.glob("submissions/[!_]*.py")), ROOT / "starter_kit/template.py"]
LEARNS = [path for path in FILES if "learning" in hooks_in(path, path.read_text())]
READS_TEXT = [path for path in FILES if path.stem in ("dpo_dont_know", "generate_then_forget")]


@pytest.mark.parametrize("path", LEARNS, ids=lambda path: path.stem)
def test_one_that_brings_its_own_learning_does_not(tmp_path, path):
    with pytest.raises(SubmissionError, match="brings its own learning, so it cannot go to Kaggle"):
        bundle(path, folder=tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("path", READS_TEXT, ids=lambda path: path.stem)
def test_one_that_reads_text_does_not(tmp_path, path):
    with pytest.raises(SubmissionError, match=r"line \d+: this submission reads text, so it cannot go to Kaggle"):
        bundle(path, folder=tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "path", [path for path in FILES if path not in LEARNS + READS_TEXT], ids=lambda path: path.stem
)
def test_every_other_submission_becomes_a_notebook(tmp_path, path):
    made = bundle(path, folder=tmp_path)
    assert made.warnings == ()
    notebook = nbformat.read(made.notebook, as_version=4)
    nbformat.validate(notebook)
    assert f"%%writefile submission.py\n{path.read_text().rstrip()}\n" in [cell.source for cell in notebook.cells]
    assert notebook.cells[0].source.startswith(f"# Unlearning: {path.stem}\n")
    assert made.submission_sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_there_are_submissions_to_bundle():
    assert len(list(ROOT.glob("submissions/[!_]*.py"))) >= 7


def test_the_same_file_gives_the_same_bytes(write):
    made = write()
    first = made.notebook.read_bytes(), made.metadata.read_bytes()
    again = write()
    assert (again.notebook.read_bytes(), again.metadata.read_bytes()) == first
    other = write(SOURCE.replace("helper", "Helper"))
    assert other.notebook.read_bytes() != first[0]


ODD = {
    "blank lines, tabs": '\n\n"""Odd."""\ndef unlearning(n, r, f, v):\n\tpass',
    "magics": "TEXT = '''%%time\n!ls {SUBMISSION} $HOME\n?\n'''\nTAB = '\\t\\\\'\ndef unlearning(*all): ...\n\n\n",
    "line ends": "def unlearning(*all):\r\n    ...\r\n",
}


@pytest.mark.parametrize("source", ODD.values(), ids=ODD.keys())
def test_an_odd_file_reaches_the_notebook_whole(write, source):
    """The text that the submission's cell writes has the SHA-256 that the last cell expects."""
    first, *_, last = code_of(write(source))
    call = ast.parse(TransformerManager().transform_cell(first)).body[0].value
    magic, file, body = (ast.literal_eval(argument) for argument in call.args)
    assert (magic, file) == ("writefile", "submission.py")
    assert f'sha256="{hashlib.sha256(body.encode()).hexdigest()}"' in last
    assert body.rstrip() == source.replace("\r\n", "\n").rstrip()


def test_the_notebook_imports_only_what_kaggle_has(write):
    for source in code_of(write())[1:]:
        for node in ast.walk(ast.parse(source)):
            names = [node.module] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            for name in names:
                package = name.split(".")[0]
                assert package in {"torch", "torchvision", "numpy", "PIL"} | sys.stdlib_module_names, name


def test_the_notebook_has_the_examples_of_the_kit(write):
    assert (ROOT / "starter_kit/examples.py").read_text().strip() in code_of(write())


def test_the_metadata_say_what_kaggle_needs(write):
    metadata = json.loads(write(competition="another-one").metadata.read_text())
    assert metadata["title"] == "Unlearning mine"
    assert metadata["id"].endswith("/unlearning-mine")
    assert metadata["code_file"] == "mine.ipynb"
    assert metadata["competition_sources"] == ["another-one"]
    assert (metadata["enable_gpu"], metadata["enable_internet"], metadata["is_private"]) == (True, False, True)


def test_options_stay_with_the_bundle(write, tmp_path):
    made = write(half_precision=False, competition="another-one")
    assert "half_precision=False" in code_of(made)[-1]
    (tmp_path / "mine.py").write_text(SOURCE + "\n# Changed.\n", encoding="utf-8")
    again = current(tmp_path / "mine.py", folder=tmp_path / "bundles")
    assert again.competition == "another-one"
    assert "half_precision=False" in code_of(again)[-1]
    assert "# Changed." in code_of(again)[0]


@pytest.mark.parametrize("edit", [("my helper", "your helper"), ("8 * 3600.0", "9 * 3600.0")])
def test_a_notebook_that_was_edited_by_hand_is_refused(write, tmp_path, edit):
    made = write()
    made.notebook.write_text(made.notebook.read_text(encoding="utf-8").replace(*edit), encoding="utf-8")
    with pytest.raises(KaggleError, match=r"mine.ipynb was edited by hand after it was bundled: expected .* found"):
        current(tmp_path / "mine.py", folder=tmp_path / "bundles")
    made.notebook.write_text("{}")
    with pytest.raises(KaggleError, match="is not a notebook from make bundle"):
        current(tmp_path / "mine.py", folder=tmp_path / "bundles")


def test_a_bundle_warns_of_what_kaggle_may_lack(write, tmp_path):
    (warning,) = write("import somepackage\n\ndef unlearning(*all): ...\n").warnings
    assert warning.startswith(f"{tmp_path}/mine.py, line 1: imports 'somepackage', which Kaggle's image may lack")


def test_a_file_that_fails_a_static_check_is_not_bundled(write, tmp_path):
    with pytest.raises(SubmissionError, match=r"mine.py, line 2: .* cannot import 'starter_kit.networks.digit_net'"):
        write("def unlearning(*all): ...\nfrom starter_kit.networks.digit_net import DigitNet")
    assert not (tmp_path / "bundles").exists()


@pytest.mark.parametrize("name", ["größe", "___", "m" * 60])
def test_names_that_kaggle_would_reject(write, name):
    with pytest.raises(
        KaggleError, match=rf"Kaggle would reject an id made from '{name}'. Expected .* Rename the file"
    ):
        write(name=name)


def test_the_command_line(tmp_path):
    def run(*arguments):
        return CliRunner().invoke(app, ["bundle", *map(str, arguments), "--bundles", str(tmp_path)])

    result = run(ROOT / "submissions/finetune.py", "--precision", "single", "--competition", "another-one")
    assert result.exit_code == 0, result.stderr
    assert f"{tmp_path}/finetune/finetune.ipynb and kernel-metadata.json" in result.stdout
    assert "half_precision=False" in (tmp_path / "finetune/finetune.ipynb").read_text()
    assert "another-one" in (tmp_path / "finetune/kernel-metadata.json").read_text()
    result = run(ROOT / "submissions/fintune.py")
    assert result.exit_code == 1
    assert "There is no submission file" in result.stderr
    assert "Traceback" not in result.stderr
