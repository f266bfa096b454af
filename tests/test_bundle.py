"""The notebook that goes to Kaggle, what is warned of, what is refused, and its cells one by one."""

import ast
import hashlib
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import nbformat
import pytest
import torch
from IPython.core.inputtransformer2 import TransformerManager
from torch.utils.data import ConcatDataset, DataLoader, Subset
from torchvision.models import resnet18

from starter_kit import competition_folder
from starter_kit.batches import BATCH_SIZE, KEYS, ExampleLoader
from starter_kit.kaggle.bundle import bundle, current
from starter_kit.kaggle.cells.budgets import check_disk, check_time, in_words
from starter_kit.kaggle.cells.data import read_examples
from starter_kit.kaggle.cells.model import checkpoint_of, submission_in, unlearned
from starter_kit.kaggle.cells.places import Run
from starter_kit.kaggle.cells.runs import follow_the_protocol, zip_checkpoints
from starter_kit.kaggle.errors import KaggleError
from tests import made

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


@pytest.fixture
def run(tmp_path):
    """A run of the notebook in a folder of the test."""
    for name in ("working", "tmp"):
        (tmp_path / name).mkdir()
    return Run(tmp_path, "a-competition", device="cpu", started=0.0)


@pytest.fixture
def original():
    torch.manual_seed(0)
    return resnet18(num_classes=10).state_dict()


@pytest.fixture
def examples(tmp_path, original):
    """What the notebook reads of a folder that was written from the made task."""
    competition_folder.write(tmp_path / "input", made.task().sets, original)
    return read_examples(tmp_path / "input", "retain", "cpu")


def test_the_folder_is_read_as_it_was_written(examples, tmp_path):
    task = made.task()
    # Sorted by path, so 0-10.png comes before 0-2.png.
    order = sorted(range(len(task.retain)), key=lambda row: str(row))
    assert torch.equal(examples.inputs, task.retain.inputs[order])
    assert torch.equal(examples.targets, task.retain.targets[order])
    assert examples.inputs.dtype == torch.float32
    assert examples[2]["image_id"] == "0-10"
    rows = (tmp_path / "input/forget.csv").read_text().splitlines()
    assert rows[0] == "image_id,age_group,age,person_id"
    assert len(rows) == 1 + len(task.forget)
    assert not (tmp_path / "input/test.csv").exists()
    counts = json.loads((tmp_path / "input/age_class_weights.json").read_text())
    assert sum(counts.values()) == len(task.train)


def test_batches_speak_both_dialects(examples):
    batch = next(iter(ExampleLoader(examples, BATCH_SIZE)))
    inputs, targets = batch
    assert inputs.shape == (64, 3, 32, 32)
    assert inputs is batch["image"]
    assert torch.equal(targets, batch["age_group"])
    assert set(batch.keys()) == set(KEYS)
    assert len(batch["image_id"]) == 64
    assert all(one.startswith("0-") for one in batch["image_id"])
    assert batch["person_id"].tolist() == [0] * 64
    built = next(iter(DataLoader(Subset(examples, range(30)), batch_size=16)))
    assert built["image_id"][:3] == ["0-0", "0-1", "0-10"]
    built = next(iter(DataLoader(ConcatDataset([examples, examples]), batch_size=16)))
    assert built["image"].shape == (16, 3, 32, 32)
    assert built["image_id"][:3] == ["0-0", "0-1", "0-10"]
    assert built["person_id"].tolist() == [0] * 16


def test_other_pictures_have_no_place_in_the_folder(tmp_path, original):
    from starter_kit import tasks

    with pytest.raises(ValueError, match=r"pictures have the shape \(3, 32, 32\); found \(1, 8, 8\)"):
        competition_folder.write(tmp_path / "input", tasks.load("digits").sets, original)
    sets = dict(made.task().sets)
    sets["forget"].inputs /= 255
    with pytest.raises(ValueError, match="forget: expected pixels that are whole numbers from 0 to 255"):
        competition_folder.write(tmp_path / "input", sets, original)
    with pytest.raises(ValueError, match="these are the weights of another network"):
        competition_folder.write(tmp_path / "input", made.task().sets, resnet18(num_classes=7).state_dict())


def test_each_model_has_a_seed_and_a_copy_of_its_own(examples, original):
    sets = [examples] * 3

    def unlearning(net, retain, forget, val):
        assert net.training
        with torch.no_grad():
            net.fc.bias += torch.randn(10)

    biases = [unlearned(unlearning, original, sets, index).fc.bias for index in (0, 1, 0)]
    assert torch.equal(biases[0], biases[2])
    assert not torch.equal(biases[0], biases[1])
    again = unlearned(lambda net, *sets: None, original, sets, 0)
    assert torch.equal(again.fc.bias, original["fc.bias"])


def test_a_model_that_is_returned_instead_is_an_error(examples, original):
    with pytest.raises(RuntimeError, match="returned a model that is not the `net` it was given"):
        unlearned(lambda net, *sets: resnet18(num_classes=10), original, [examples] * 3, 0)


def test_half_precision_where_it_fits(original):
    net = resnet18(num_classes=10)
    net.bn1.running_var[3] = 1e6
    state = checkpoint_of(net, original, half_precision=True)
    assert state["fc.weight"].dtype == torch.float16
    assert state["bn1.running_var"].dtype == torch.float32
    assert state["bn1.num_batches_tracked"].dtype == torch.int64
    assert checkpoint_of(net, original, half_precision=False)["fc.weight"].dtype == torch.float32
    with torch.no_grad():
        net.fc.bias[0] = float("nan")
    with pytest.raises(RuntimeError, match=r"NaN or infinite weights in fc.bias"):
        checkpoint_of(net, original, half_precision=True)
    net.fc = torch.nn.Linear(512, 7)
    with pytest.raises(RuntimeError, match=r"fc.bias: expected \(10,\), found \(7,\)"):
        checkpoint_of(net, original, half_precision=True)


def test_the_submission_has_to_be_the_one_that_was_bundled(tmp_path):
    (tmp_path / "submission.py").write_text(SOURCE, encoding="utf-8")
    sha256 = hashlib.sha256(SOURCE.encode()).hexdigest()
    assert submission_in(tmp_path / "submission.py", sha256).__doc__ == "Changes little."
    (tmp_path / "submission.py").write_text(SOURCE + " ", encoding="utf-8")
    with pytest.raises(AssertionError, match=f"expected SHA-256 {sha256}, found"):
        submission_in(tmp_path / "submission.py", sha256)


def test_the_time_of_all_models_is_foretold(run, capsys):
    check_time(run, models_began=6.0, done=3, now=6.0 + 3 * 36.317)
    assert capsys.readouterr().out == "3 models: 512 models will take 5 h 10 min of 8 h\n"
    over = "512 models will take 8 h 32 min of 8 h, and 15 min are kept for zipping. A model takes 60.0 s, and 54.5 s"
    with pytest.raises(RuntimeError, match=over):
        check_time(run, models_began=0.0, done=3, now=180.0)
    check_time(replace(run, rehearsal=True), models_began=0.0, done=3, now=180.0)
    assert "Kaggle's GPU may be faster than this machine" in capsys.readouterr().out
    assert [in_words(seconds) for seconds in (40, 3600, 7260, 120)] == ["40 s", "1 h", "2 h 1 min", "2 min"]


def test_the_disk_is_foretold(run, capsys, monkeypatch):
    check_disk(run, checkpoint=22.4e6, zipped=22.4e6, missing=0)
    assert capsys.readouterr().out == "512 checkpoints will take 11.5 GB of 20 GB\n"
    with pytest.raises(RuntimeError, match=r"will take 22.9 GB, and the working folder holds 20 GB. Half precision"):
        check_disk(run, checkpoint=44.8e6, zipped=44.8e6, missing=0)
    with pytest.raises(RuntimeError, match=r"tmp needs .* GB more for this run and has"):
        check_disk(run, checkpoint=1e15, zipped=1.0, missing=100)


def test_exactly_the_checkpoints_are_zipped(run):
    run = replace(run, models=2)
    for name in ("unlearned_checkpoint_0.pth", "mine.pth"):
        (run.temporary / name).write_bytes(b"")
    with pytest.raises(RuntimeError, match=r"Expected exactly 2 checkpoints .* found 2 files; .* is mine.pth"):
        zip_checkpoints(run)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_it_stops(monkeypatch):
    monkeypatch.delenv("REHEARSAL_ROOT", raising=False)
    with pytest.raises(RuntimeError, match="This notebook has no GPU"):
        follow_the_protocol("a-competition", "submission.py", "", half_precision=True)


def test_without_its_data_it_says_what_to_add(run):
    with pytest.raises(FileNotFoundError, match="choose Add Input and the competition a-competition"):
        _ = run.input
