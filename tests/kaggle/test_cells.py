"""What the notebook does on Kaggle, its cells one by one."""

import hashlib
import json
import sys
import zipfile
from dataclasses import replace
from io import BytesIO

import pytest
import torch
from torch.utils.data import ConcatDataset, DataLoader, Subset
from torchvision.models import resnet18

from starter_kit import tasks
from starter_kit.competition import input_folder
from starter_kit.examples import BATCH_SIZE, KEYS, ExampleLoader
from starter_kit.kaggle.cells.budgets import check_disk, check_time, duration
from starter_kit.kaggle.cells.data import read_examples, synthetic_examples
from starter_kit.kaggle.cells.model import checkpoint_of, load_unlearning, unlearned
from starter_kit.kaggle.cells.places import Run
from starter_kit.kaggle.cells.runs import run_protocol, zip_checkpoints
from starter_kit.kaggle.rehearse import lay_out, lay_out_save_run
from tests import toys

SOURCE = '''import torch

def unlearning(net, retain, forget, val):
    """Changes the biases."""
    with torch.no_grad():
        net.fc.bias += torch.randn(10)
'''
SHA256 = hashlib.sha256(SOURCE.encode()).hexdigest()


@pytest.fixture
def run(tmp_path):
    """A run of the notebook in a folder of the test."""
    for name in ("working", "tmp"):
        (tmp_path / name).mkdir()
    return Run(tmp_path, "a-competition", device="cpu", started=0.0)


@pytest.fixture(scope="module")
def original():
    torch.manual_seed(0)
    return resnet18(num_classes=10).state_dict()


@pytest.fixture
def examples(tmp_path, original):
    """The retain set of the toy task, as the notebook reads it."""
    input_folder.write(tmp_path / "input", toys.task().sets, original)
    return read_examples(tmp_path / "input", "retain", "cpu")


def test_the_folder_is_read_as_it_was_written(examples, tmp_path):
    task = toys.task()
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


def test_batches_have_both_interfaces(examples):
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


@pytest.mark.parametrize(
    ("sizes", "batches"),
    [
        ((96, 32, 32), [[64, 32], [32], [32]]),
        ((65, 1, 2), [[65], [1], [2]]),
        ((129, 64, 130), [[64, 65], [64], [64, 64, 2]]),
    ],
)
def test_no_batch_has_a_single_example_unless_the_set_has(original, sizes, batches):
    """Batch norm cannot train on one example, and a submission need not guard against it."""
    dealt = []

    def unlearning(net, *loaders):
        for loader in loaders:
            dealt.append([len(targets) for _, targets in loader])
            assert len(loader) == len(dealt[-1])

    unlearned(unlearning, original, [synthetic_examples(size, "cpu") for size in sizes], 0)
    assert dealt == batches


def test_a_trailing_example_keeps_its_own_columns():
    examples = synthetic_examples(65, "cpu")
    (batch,) = ExampleLoader(examples, BATCH_SIZE, shuffle=False)
    assert torch.equal(batch["image"], examples.inputs)
    assert batch["image_id"] == [f"0-{position}" for position in range(65)]
    assert torch.equal(batch["age"], examples.named_columns["age"])


def test_tasks_that_do_not_fit_the_folder(tmp_path, original):
    with pytest.raises(
        ValueError, match=r"expected pictures of the competition's shape \(3, 32, 32\), found \(1, 8, 8\)"
    ):
        input_folder.write(tmp_path / "input", tasks.load("digits").sets, original)
    sets = dict(toys.task().sets)
    sets["forget"].inputs /= 255
    with pytest.raises(ValueError, match="forget: expected pixels that are integers from 0 to 255"):
        input_folder.write(tmp_path / "input", sets, original)
    with pytest.raises(ValueError, match="this task has another network"):
        input_folder.write(tmp_path / "input", toys.task().sets, resnet18(num_classes=7).state_dict())
    sets = dict(toys.task().sets)
    sets["retain"].targets[3] = 10
    with pytest.raises(ValueError, match="retain: expected one class per example, from 0 to 9, found 0 to 10"):
        input_folder.write(tmp_path / "input", sets, original)
    assert not (tmp_path / "input").exists()


def test_each_model_has_its_own_seed_and_copy(examples, original):
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


def test_returning_another_model_is_an_error(examples, original):
    with pytest.raises(RuntimeError, match="returned a model other than the `net` it was given"):
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
    with pytest.raises(RuntimeError, match=r"fc.bias, expected shape \(10,\), found \(7,\)"):
        checkpoint_of(net, original, half_precision=True)


def test_the_submission_must_be_the_one_that_was_bundled(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "submission", None)
    (tmp_path / "submission.py").write_text(SOURCE, encoding="utf-8")
    assert load_unlearning(tmp_path / "submission.py", SHA256).__doc__ == "Changes the biases."
    (tmp_path / "submission.py").write_text(SOURCE + " ", encoding="utf-8")
    with pytest.raises(RuntimeError, match=f"expected SHA-256 {SHA256}, found"):
        load_unlearning(tmp_path / "submission.py", SHA256)


@pytest.fixture
def protocol(tmp_path, monkeypatch):
    """Run the protocol in a rehearsal of two models; returns the path of the zip."""
    monkeypatch.setitem(sys.modules, "submission", None)
    monkeypatch.setenv("REHEARSAL_ROOT", str(tmp_path))
    monkeypatch.setenv("REHEARSAL_MODELS", "2")

    def protocol(source=SOURCE):
        (tmp_path / "submission.py").write_text(source)
        sha256 = hashlib.sha256(source.encode()).hexdigest()
        run_protocol("a-competition", str(tmp_path / "submission.py"), sha256, half_precision=True)
        return tmp_path / "working/submission.zip"

    return protocol


@pytest.mark.parametrize("where", ["old", "new"])
def test_the_run_that_saves_leaves_an_empty_zip(protocol, tmp_path, capsys, where):
    lay_out_save_run(tmp_path, "a-competition", where)
    assert protocol().read_bytes() == b""
    assert "Save run: unlearning works; it took " in capsys.readouterr().out


def test_the_run_that_saves_checks_the_architecture(protocol, tmp_path):
    lay_out_save_run(tmp_path, "a-competition", "new")
    source = SOURCE + "    net.fc = torch.nn.Linear(512, 7)\n"
    with pytest.raises(RuntimeError, match=r"no longer a resnet18 with 10 classes. First difference: fc.bias"):
        protocol(source)


@pytest.mark.parametrize(("where", "left_over"), [("old", False), ("new", True)])
def test_the_run_that_is_judged_zips_its_own_checkpoints(protocol, tmp_path, original, where, left_over):
    sets = {name: toys.part(examples, 0, 4) for name, examples in toys.task().sets.items()}
    lay_out(tmp_path, "a-competition", sets, original, where)
    if left_over:
        (tmp_path / "tmp/a folder").mkdir(parents=True)
        for name in ("a folder/file", "unlearned_checkpoint_1.pth", "unlearned_checkpoint_900.pth"):
            (tmp_path / "tmp" / name).write_text("from an earlier run")
    with zipfile.ZipFile(protocol()) as archive:
        assert archive.namelist() == [f"kaggle/tmp/unlearned_checkpoint_{index}.pth" for index in range(2)]
        states = [torch.load(BytesIO(archive.read(name)), weights_only=True) for name in archive.namelist()]
    assert not torch.equal(states[0]["fc.bias"], states[1]["fc.bias"])
    assert all(torch.equal(state["fc.weight"], original["fc.weight"].half()) for state in states)


def test_the_time_of_all_models_is_estimated(run, capsys):
    check_time(run, first_began=6.0, done=3, now=6.0 + 3 * 36.317)
    assert capsys.readouterr().out == "3 models done: 512 models will take 5 h 10 min of 8 h\n"
    over = (
        "will take 8 h 32 min of 8 h, of which zipping needs 15 min. One model takes 60.0 s; at most 54.5 s would fit."
    )
    with pytest.raises(RuntimeError, match=over):
        check_time(run, first_began=0.0, done=3, now=180.0)
    check_time(replace(run, rehearsal=True), first_began=0.0, done=3, now=180.0)
    assert "Kaggle's GPU may be faster than this machine" in capsys.readouterr().out
    assert [duration(seconds) for seconds in (40, 3600, 7260, 120)] == ["40 s", "1 h", "2 h 1 min", "2 min"]


def test_the_disk_space_is_estimated(run, capsys):
    check_disk(run, checkpoint=22.4e6, zipped=22.4e6, missing=0)
    assert capsys.readouterr().out == "512 checkpoints will take 11.5 GB of 20 GB\n"
    with pytest.raises(RuntimeError, match=r"will take 22.9 GB, but the working folder holds 20 GB. Half precision"):
        check_disk(run, checkpoint=44.8e6, zipped=44.8e6, missing=0)
    with pytest.raises(RuntimeError, match=r"Disk full: .*tmp needs another .* GB for this run and has"):
        check_disk(run, checkpoint=1e15, zipped=1.0, missing=100)


def test_exactly_the_checkpoints_are_zipped(run):
    run = replace(run, models=2)
    for name in ("unlearned_checkpoint_0.pth", "mine.pth"):
        (run.temporary / name).write_bytes(b"")
    with pytest.raises(RuntimeError, match=r"Expected exactly 2 checkpoints .* found 2 files. .* is mine.pth"):
        zip_checkpoints(run)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_it_stops(monkeypatch):
    monkeypatch.delenv("REHEARSAL_ROOT", raising=False)
    with pytest.raises(RuntimeError, match="This notebook has no GPU"):
        run_protocol("a-competition", "submission.py", "", half_precision=True)


def test_without_its_data_it_says_what_to_add(run):
    with pytest.raises(FileNotFoundError, match="choose Add Input and the competition a-competition"):
        _ = run.input
