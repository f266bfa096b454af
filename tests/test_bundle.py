"""The notebook that goes to Kaggle, what is warned of, and what is refused."""

import ast
import hashlib
import json
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from IPython.core.inputtransformer2 import TransformerManager

from starter_kit.kaggle.bundle import bundle, current
from starter_kit.kaggle.errors import KaggleError

ROOT = Path(__file__).parents[1]
SOURCE = '''"""Mine."""
from __future__ import annotations

import torch

HELPER = "a helper of mine, \\u00e4"


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


@pytest.mark.parametrize(
    "path", [*sorted(ROOT.glob("submissions/[!_]*.py")), ROOT / "starter_kit/template.py"], ids=lambda path: path.stem
)
def test_every_submission_becomes_a_notebook(tmp_path, path):
    made = bundle(path, folder=tmp_path)
    assert made.warnings == ()
    notebook = nbformat.read(made.notebook, as_version=4)
    nbformat.validate(notebook)
    assert f"%%writefile submission.py\n{path.read_text().rstrip()}\n" in [cell.source for cell in notebook.cells]
    assert notebook.cells[0].source.startswith(f"# Unlearning: {path.stem}\n")
    assert made.submission_sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


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
    """What the magic of the submission's cell is given is what the last cell's SHA-256 was made of."""
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


def test_the_metadata_are_what_kaggle_asks_for(write):
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


@pytest.mark.parametrize("edit", [("a helper", "another helper"), ("8 * 3600.0", "9 * 3600.0")])
def test_a_notebook_that_was_edited_by_hand_is_refused(write, tmp_path, edit):
    made = write()
    made.notebook.write_text(made.notebook.read_text(encoding="utf-8").replace(*edit), encoding="utf-8")
    with pytest.raises(KaggleError, match=r"mine.ipynb was edited by hand since it was bundled: expected .* found"):
        current(tmp_path / "mine.py", folder=tmp_path / "bundles")
    made.notebook.write_text("{}")
    with pytest.raises(KaggleError, match="is no notebook that was bundled here"):
        current(tmp_path / "mine.py", folder=tmp_path / "bundles")


def test_what_kaggle_may_lack_is_warned_of_by_name(write):
    source = (
        "import json, somepackage.part\nfrom otherpackage import thing\nimport numpy as np\nimport pandas\n"
        "from pathlib import Path\n\nWEIGHTS = np.load('weights.npy')\nTEXT = Path('notes.txt').read_text()\n"
        "KAGGLE = open('/kaggle/input/data.csv')\n\n"
        "def unlearning(net, retain, forget, val):\n    net.load_state_dict(torch.load(PATH))\n"
        "    '''\n    >>> x\n    '''\n"
    )
    warnings = write(source).warnings
    assert len(warnings) == 6
    assert any("line 14: begins with '>>>', which a notebook may take for a prompt" in warning for warning in warnings)
    for line, what in ((1, "imports 'somepackage'"), (2, "imports 'otherpackage'"), (12, "reads the file PATH")):
        assert any(f"mine.py, line {line}: {what}" in warning for warning in warnings), warnings
    assert any("line 7: reads the file 'weights.npy', which is not there on Kaggle" in one for one in warnings)
    assert any("line 8: reads the file Path('notes.txt')" in warning for warning in warnings)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("def unlearning(net", r"mine.py, line 1: '\(' was never closed"),
        ("def forgetting(net): ...", r"has no function unlearning\(net, retain, forget, val\)"),
        ("from starter_kit.models import DigitNet", "line 1: a submission goes to Kaggle as one file"),
        ("def unlearning(*a):\n    from . import helpers", "line 2: a submission goes to Kaggle as one file"),
    ],
)
def test_files_that_cannot_be_bundled(write, source, message):
    with pytest.raises(KaggleError, match=message):
        write(source)


@pytest.mark.parametrize("name", ["größe", "___", "m" * 60])
def test_ids_that_kaggle_would_refuse(write, name):
    with pytest.raises(KaggleError, match=rf"Kaggle would refuse an id made of '{name}'. Expected .* Rename the file"):
        write(name=name)


def test_the_command_line(tmp_path):
    command = [sys.executable, "-m", "starter_kit.kaggle", "bundle", "--bundles", str(tmp_path)]
    result = subprocess.run([*command, "submissions/finetune.py"], capture_output=True, text=True, cwd=ROOT)
    assert result.returncode == 0, result.stderr
    assert f"{tmp_path}/finetune/finetune.ipynb and kernel-metadata.json" in result.stdout
    result = subprocess.run([*command, "submissions/none.py"], capture_output=True, text=True, cwd=ROOT)
    assert result.returncode == 1
    assert "Cannot read the submission submissions/none.py: No such file" in result.stderr
    assert "Traceback" not in result.stderr
