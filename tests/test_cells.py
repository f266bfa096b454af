"""What the notebook does on Kaggle, its cells one by one."""

import hashlib
import json
from dataclasses import replace

import pytest
import torch
from torch.utils.data import ConcatDataset, DataLoader, Subset
from torchvision.models import resnet18

from starter_kit import competition_folder
from starter_kit.batches import BATCH_SIZE, KEYS, ExampleLoader
from starter_kit.kaggle.cells.budgets import check_disk, check_time, in_words
from starter_kit.kaggle.cells.data import read_examples
from starter_kit.kaggle.cells.model import checkpoint_of, submission_in, unlearned
from starter_kit.kaggle.cells.places import Run
from starter_kit.kaggle.cells.runs import follow_the_protocol, zip_checkpoints
from tests import made

SOURCE = '''def unlearning(net, retain, forget, val):
    """Changes little."""
'''


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
