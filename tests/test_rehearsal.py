"""Notebooks are run as Kaggle would run them, and what they write is scored."""

import json
import zipfile
from dataclasses import replace
from io import BytesIO

import pytest
import torch
from torchvision.models import resnet18

from starter_kit import tasks
from starter_kit.batches import Examples
from starter_kit.kaggle import rehearse
from starter_kit.kaggle.bundle import bundle
from starter_kit.kaggle.errors import KaggleError
from starter_kit.kaggle.rehearse import lay_out, lay_out_save_run, run_notebook
from tests import made

MODELS = 3
SOURCE = """
import torch

def unlearning(net, retain, forget, val):
    for batch in DataLoader(forget.dataset, batch_size=4):
        assert batch["image"].shape[1:] == (3, 32, 32)
        loss = net(batch["image"])[:, batch["age_group"]].mean() + torch.randn(()) * net.fc.bias.sum()
        loss.backward()
    with torch.no_grad():
        net.fc.bias += net.fc.bias.grad

from torch.utils.data import DataLoader
"""


@pytest.fixture(autouse=True)
def notebooks_on_one_thread(monkeypatch):
    """More are slower on networks and pictures this small, above all on a busy machine."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


@pytest.fixture
def bundled(tmp_path):
    """Write a submission and bundle it."""

    def bundled(source):
        (tmp_path / "mine.py").write_text(source)
        return bundle(tmp_path / "mine.py", folder=tmp_path / "bundles")

    return bundled


@pytest.fixture(scope="module")
def sets():
    """A few of the made pictures."""
    sets = made.task().sets
    return {name: Examples(*(column[:8] for column in columns(examples))) for name, examples in sets.items()}


def columns(examples):
    return examples.inputs, examples.targets, examples.image_id, examples.person_id


@pytest.fixture(scope="module")
def original():
    return resnet18(num_classes=10).state_dict()


def dirty(folder):
    """What an earlier run may have left."""
    (folder / "a folder").mkdir(parents=True)
    (folder / "a folder/file").touch()
    for name in ("unlearned_checkpoint_1.pth", "unlearned_checkpoint_900.pth"):
        (folder / name).write_text("left over")


@pytest.mark.parametrize("temporary", ["empty", "dirty"])
@pytest.mark.parametrize("where", ["old", "new"])
@pytest.mark.parametrize("kind", ["save run", "rerun"])
def test_both_runs_at_both_places(bundled, sets, original, tmp_path, capfd, kind, where, temporary):
    ready, root, said = bundled(SOURCE), tmp_path / "kaggle", []
    if kind == "save run":
        lay_out_save_run(root, ready.competition, where)
    else:
        lay_out(root, ready.competition, sets, original, where)
    if temporary == "dirty":
        dirty(root / "tmp")
    zipped = run_notebook(ready, root, MODELS, said.append)
    assert zipped == root / "working/submission.zip"
    assert said[0].startswith("No network: ")
    shown = capfd.readouterr().out
    assert sorted(path.name for path in zipped.parent.iterdir()) == ["submission.py", "submission.zip"]
    if kind == "save run":
        assert zipped.read_bytes() == b""
        assert "Save run: unlearning runs, " in shown
        return
    assert "3 models: 512 models will take" in shown
    assert "512 checkpoints will take 11.5 GB of 20 GB" in shown
    with zipfile.ZipFile(zipped) as archive:
        names = [f"kaggle/tmp/unlearned_checkpoint_{index}.pth" for index in range(MODELS)]
        assert archive.namelist() == names
        states = [torch.load(BytesIO(archive.read(name)), weights_only=True) for name in names]
    assert {value.dtype for value in states[0].values()} == {torch.float16, torch.int64}
    assert len({tuple(state["fc.bias"].tolist()) for state in states}) == MODELS
    assert torch.equal(states[0]["fc.weight"], original["fc.weight"].half())


NOSY = """
import importlib, os, socket, subprocess, sys
from pathlib import Path

def tried(what):
    try:
        return repr(what())
    except (OSError, ImportError) as error:
        return f"{type(error).__name__} {error}"

def unlearning(net, retain, forget, val):
    folder = next((Path(os.environ["REHEARSAL_ROOT"]) / "input").rglob("empty.txt")).parent
    raise RuntimeError("\\n".join([
        "connect: " + tried(lambda: socket.create_connection(("127.0.0.1", 9), timeout=5)),
        "look up: " + tried(lambda: socket.getaddrinfo("www.kaggle.com", 443)),
        "write: " + tried(lambda: (folder / "mine.txt").write_text("mine")),
        "remove: " + tried(lambda: (folder / "empty.txt").unlink()),
        "import: " + tried(lambda: importlib.import_module("starter_kit.kaggle")),
        "secrets: " + repr([name for name in os.environ if "KAGGLE" in name or "SECRET" in name]),
        "home: " + repr(os.listdir(os.path.expanduser("~"))),
    ]))
"""


@pytest.mark.parametrize("namespaces", [True, False], ids=["namespaces", "guard"])
def test_nothing_of_this_machine_is_in_reach(bundled, tmp_path, monkeypatch, namespaces):
    monkeypatch.setenv("KAGGLE_KEY", "secret")
    monkeypatch.setenv("MY_SECRET", "secret")
    said = []
    if not namespaces:
        monkeypatch.setattr(rehearse, "IN_NAMESPACES", ("nothing-such",))
    elif not rehearse._in_namespaces(tmp_path):
        pytest.skip("this machine permits no namespaces")
    ready = bundled(NOSY)
    lay_out_save_run(tmp_path / "kaggle", ready.competition, "new")
    with pytest.raises(KaggleError, match=r"mine.ipynb failed in the rehearsal") as caught:
        run_notebook(ready, tmp_path / "kaggle", MODELS, said.append)
    assert ("namespace of its own" if namespaces else "sockets are guarded") in said[0]
    told = str(caught.value).split("RuntimeError: ")[-1].splitlines()
    assert "unreachable" in told[0]
    assert told[1].startswith("look up: ")
    assert "Error" in told[1]
    assert "Read-only file system" in told[2]
    assert "Read-only file system" in told[3]
    assert told[4].startswith("import: ModuleNotFoundError No module named 'starter_kit'")
    assert told[5:] == ["secrets: []", "home: ['.ipython']"]


def test_a_typo_is_found_by_the_run_that_saves(bundled, tmp_path):
    ready = bundled("def unlearning(net, retain, forget, val):\n    net.layer5.requires_grad_(False)\n")
    lay_out_save_run(tmp_path / "kaggle", ready.competition, "old")
    with pytest.raises(KaggleError) as caught:
        run_notebook(ready, tmp_path / "kaggle", MODELS, print)
    assert "AttributeError: 'ResNet' object has no attribute 'layer5'" in str(caught.value)
    assert "net.layer5.requires_grad_(False)" in str(caught.value)
    assert "\x1b" not in str(caught.value)


def test_a_notebook_edited_by_hand_is_not_rehearsed(bundled, tmp_path):
    ready = bundled(SOURCE)
    ready.notebook.write_text(ready.notebook.read_text().replace("fc.bias", "fc.weight"))
    with pytest.raises(KaggleError, match="was edited by hand since it was bundled"):
        run_notebook(ready, tmp_path / "kaggle", MODELS, print)


def test_a_rehearsal_ends_with_the_score_of_its_zip(kit, written, tmp_path, monkeypatch):
    path = written(SOURCE)
    monkeypatch.setattr("scoring.rehearsal.BUNDLES", tmp_path / "bundles")
    monkeypatch.setattr(made, "RECIPE", replace(made.RECIPE, epochs=1))
    monkeypatch.setitem(made.SIZES, "retain", 20)
    monkeypatch.setattr("scoring.pools.STOPWATCH_RUNS", 1)
    with monkeypatch.context() as patch:
        patch.setattr(tasks, "load", lambda name, data: made.task())
        result = kit("rehearse", path, "--out", tmp_path / "out")
    assert result.exit_code == 0, result.stderr
    assert "mine on made, 8 models" in result.stdout
    report = json.loads((tmp_path / "out/report/report.json").read_text())
    assert report["models"] == 8
    assert 0 <= report["score"] <= 1
    assert zipfile.is_zipfile(tmp_path / "out/mine.zip")
    again = kit("score", "--checkpoints", tmp_path / "out/mine.zip")
    assert again.exit_code == 1
    assert "and a checkpoint of this task has at most" in again.stderr


def test_a_folder_of_the_persons_own_is_never_emptied(kit, written, tmp_path, monkeypatch):
    """What an earlier rehearsal left is removed; a home folder named by mistake is not."""
    monkeypatch.setattr("scoring.rehearsal.BUNDLES", tmp_path / "bundles")
    home = tmp_path / "home"
    (home / "save").mkdir(parents=True)
    (home / "save/thesis.tex").write_text("years of work")
    (home / "letters").mkdir()
    result = kit("rehearse", written(SOURCE), "--out", home)
    assert result.exit_code == 1
    assert f"{home} holds letters, which no rehearsal left there" in result.stderr
    assert (home / "save/thesis.tex").read_text() == "years of work"
    assert (home / "letters").is_dir()
    result = kit("rehearse", written(SOURCE), "--out", written(SOURCE))
    assert result.exit_code == 1
    assert "mine.py is a file, and a rehearsal needs a folder" in result.stderr


def test_a_task_of_other_pictures_cannot_be_rehearsed(kit, written, tmp_path, monkeypatch):
    monkeypatch.setattr("scoring.rehearsal.BUNDLES", tmp_path / "bundles")
    result = kit("rehearse", written(SOURCE), "--task", "digits", "--out", tmp_path / "out")
    assert result.exit_code == 1
    assert "This task cannot be rehearsed: the competition's notebook builds torchvision's resnet18" in result.stderr
    assert "Traceback" not in result.stderr
