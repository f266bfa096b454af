"""Notebooks run as on Kaggle, and the zips that they write are scored."""

import json
import shutil
import socket
import subprocess
import sys
import zipfile
from dataclasses import replace
from io import BytesIO

import nbformat
import pytest
import torch
from torchvision.models import resnet18
from typer.testing import CliRunner

from scoring.cli.app import app
from starter_kit import tasks
from starter_kit.errors import KaggleError
from starter_kit.kaggle import rehearse
from starter_kit.kaggle.bundle import bundle
from starter_kit.kaggle.past import local_scores
from starter_kit.kaggle.rehearse import lay_out, lay_out_save_run, run_notebook
from tests import toys

MODELS = 8
SOURCE = """
import torch

def unlearning(net, retain, forget, val):
    print("Retain batches:", [len(targets) for _, targets in retain])
    for batch in DataLoader(forget.dataset, batch_size=4):
        assert batch["image"].shape[1:] == (3, 32, 32)
        loss = net(batch["image"])[:, batch["age_group"]].mean() + torch.randn(()) * net.fc.bias.sum()
        loss.backward()
    with torch.no_grad():
        net.fc.bias += net.fc.bias.grad

from torch.utils.data import DataLoader
"""


class Rehearsal:
    """What one rehearsal of SOURCE on a small toy task printed and left."""

    def __init__(self, folder):
        self.folder = folder / "out"
        (folder / "mine.py").write_text(SOURCE)
        options = {"--out": self.folder, "--store": folder / "store", "--models": MODELS, "--backend": "serial"}
        arguments = [folder / "mine.py", *(part for option in options.items() for part in option)]
        with pytest.MonkeyPatch.context() as patch:
            # More threads are slower on pictures this small.
            patch.setenv("OMP_NUM_THREADS", "1")
            patch.setattr("scoring.rehearsal.BUNDLES", folder / "bundles")
            patch.setattr(toys, "SIZES", {"retain": 20, "forget": 8, "validation": 4, "test": 4})
            task = replace(toys.task(), recipe=replace(toys.RECIPE, epochs=1))
            patch.setattr(tasks, "load", lambda name, data, model: task)
            self.result = CliRunner().invoke(app, ["rehearse", *map(str, arguments)])
        assert self.result.exit_code == 0, self.result.output

    def printed(self, kind):
        return printed_by(self.folder / kind / "mine.ipynb")


def printed_by(executed):
    """What the cells of an executed notebook printed."""
    outputs = [output for cell in nbformat.read(executed, as_version=4).cells for output in cell.get("outputs", [])]
    return "".join(output.text for output in outputs if output.output_type == "stream")


@pytest.fixture(scope="module")
def rehearsal(tmp_path_factory):
    return Rehearsal(tmp_path_factory.mktemp("rehearsal"))


def test_a_rehearsal_runs_the_notebook_as_it_is_saved(rehearsal):
    printed = rehearsal.printed("save")
    assert "Retain batches: [64, 32]\n" in printed
    assert "Save run: unlearning works" in printed
    assert (rehearsal.folder / "save/working/submission.zip").read_bytes() == b""


def test_a_rehearsal_runs_the_notebook_as_it_is_judged(rehearsal):
    printed = rehearsal.printed("rerun")
    assert printed.count("Retain batches: [20]\n") == MODELS
    assert "Examples: 20 to retain, 8 to forget, 4 for validation" in printed
    assert "3 models done: 512 models will take" in printed
    assert "512 checkpoints will take 11.5 GB of 20 GB" in printed
    assert [path.name for path in (rehearsal.folder / "rerun/working").iterdir()] == ["submission.py"]
    with zipfile.ZipFile(rehearsal.folder / "mine.zip") as archive:
        names = [f"kaggle/tmp/unlearned_checkpoint_{index}.pth" for index in range(MODELS)]
        assert archive.namelist() == names
        states = [torch.load(BytesIO(archive.read(name)), weights_only=True) for name in names]
    assert {value.dtype for value in states[0].values()} == {torch.float16, torch.int64}
    assert len({tuple(state["fc.bias"].tolist()) for state in states}) == MODELS
    (original,) = rehearsal.folder.glob("rerun/input/competitions/*/original_model.pth")
    assert torch.equal(states[0]["fc.weight"], torch.load(original, weights_only=True)["fc.weight"].half())


def test_a_rehearsal_ends_with_the_score_of_its_zip(rehearsal):
    assert f"mine on {toys.task().name}, {MODELS} models" in rehearsal.result.stdout
    report = json.loads((rehearsal.folder / "report/report.json").read_text())
    assert report["run"]["models"] == MODELS
    assert 0 <= report["unlearned"]["score"]["value"] <= 1


def test_the_reports_of_the_kit_are_found_beside_kaggles_scores(rehearsal):
    report = json.loads((rehearsal.folder / "report/report.json").read_text())
    (local,) = local_scores(report["submission"]["sha256"][:12], rehearsal.folder)
    assert (local.task, local.models) == (toys.task().name, MODELS)
    assert (local.score, local.ceiling) == (report["unlearned"]["score"]["value"], report["ceiling"]["value"])


ATTEMPTS = """
import importlib, os, socket
from pathlib import Path

def attempt(name, action):
    try:
        result = repr(action())
    except (OSError, ImportError) as error:
        result = f"{type(error).__name__} {error}"
    print(f"{name}: {result}", flush=True)

folder = next((Path(os.environ["REHEARSAL_ROOT"]) / "input").rglob("empty.txt")).parent
attempt("connect", lambda: socket.create_connection(("127.0.0.1", PORT), timeout=5))
attempt("look up", lambda: socket.getaddrinfo("www.kaggle.com", 443))
attempt("write", lambda: (folder / "mine.txt").write_text("mine"))
attempt("remove", lambda: (folder / "empty.txt").unlink())
# A name that is written out would be refused before anything runs.
attempt("import", lambda: importlib.import_module(".".join(["starter_kit", "kaggle"])))
"""
CURIOUS = f"""{ATTEMPTS}
attempt("secrets", lambda: [name for name in os.environ if "KAGGLE" in name or "SECRET" in name])
attempt("home", lambda: sorted(os.listdir(os.path.expanduser("~"))))

import subprocess, sys
# Without `site`, and so without the guard.
print("unguarded", flush=True)
subprocess.run([sys.executable, "-S", "-c", {ATTEMPTS!r}])

def unlearning(net, retain, forget, val):
    net.layer5.requires_grad_(False)
"""


def results(printed):
    """The results of ATTEMPTS by name."""
    return dict(line.split(": ", 1) for line in printed.splitlines() if ": " in line)


def assert_out_of_reach(found):
    # A network of its own has nothing in it that answers.
    assert "unreachable" in found["connect"] or "refused" in found["connect"]
    assert found["look up"].split()[0] in ("OSError", "gaierror")
    assert "Read-only file system" in found["write"]
    assert "Read-only file system" in found["remove"]


@pytest.fixture(scope="module")
def failure(tmp_path_factory):
    """What a failing notebook, run with secrets around, printed and raised, and what was said before."""
    folder = tmp_path_factory.mktemp("failure")
    home = folder / "a person's home"
    home.mkdir()
    (home / "letters").touch()
    with pytest.MonkeyPatch.context() as patch, socket.create_server(("127.0.0.1", 0)) as server:
        (folder / "mine.py").write_text(CURIOUS.replace("PORT", str(server.getsockname()[1])))
        ready, said = bundle(folder / "mine.py", folder=folder / "bundles"), []
        lay_out_save_run(folder / "kaggle", ready.competition, "old")
        for name, value in {"KAGGLE_KEY": "secret", "MY_SECRET": "secret", "HOME": str(home)}.items():
            patch.setenv(name, value)
        with pytest.raises(KaggleError) as caught:
            run_notebook(ready, folder / "kaggle", MODELS, said.append)
    return said, printed_by(folder / "kaggle/mine.ipynb"), str(caught.value)


def test_a_notebook_reaches_nothing_of_this_machine(failure):
    (said,), printed, _ = failure
    assert said.startswith("No network: ")
    guarded, _, unguarded = printed.partition("unguarded")
    assert_out_of_reach(results(guarded))
    assert results(guarded)["import"].startswith("ModuleNotFoundError No module named 'starter_kit'")
    assert results(guarded)["secrets"] == "[]"
    assert "letters" not in results(guarded)["home"]
    if "permits no namespaces" not in said:
        assert_out_of_reach(results(unguarded))


def test_a_typo_is_found_by_the_run_that_saves(failure):
    _, _, message = failure
    assert "mine.ipynb failed in the rehearsal" in message
    assert "AttributeError: 'ResNet' object has no attribute 'layer5'" in message
    assert "net.layer5.requires_grad_(False)" in message
    assert "\x1b" not in message


def test_the_guard_protects_where_there_are_no_namespaces(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert rehearse._behind_walls(tmp_path, str(tmp_path), {}) == []
    lay_out_save_run(tmp_path, "a-competition", "new")
    (tmp_path / "guard").mkdir()
    shutil.copyfile(rehearse.HERE / "guard.py", tmp_path / "guard/sitecustomize.py")
    environment = {"PYTHONPATH": str(tmp_path / "guard"), "REHEARSAL_ROOT": str(tmp_path)}
    command = [sys.executable, "-c", ATTEMPTS.replace("PORT", "9")]
    found = results(subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout)
    assert_out_of_reach(found)
    assert found["import"].startswith("ModuleNotFoundError No module named 'starter_kit'")


def test_a_notebook_edited_by_hand_is_not_rehearsed(written, tmp_path):
    ready = bundle(written(SOURCE), folder=tmp_path / "bundles")
    ready.notebook.write_text(ready.notebook.read_text().replace("fc.bias", "fc.weight"))
    with pytest.raises(KaggleError, match="was edited by hand after it was bundled"):
        run_notebook(ready, tmp_path / "kaggle", MODELS, print)


@pytest.fixture
def refused(written, tmp_path, monkeypatch):
    """Rehearse SOURCE with some options, and expect an error."""
    monkeypatch.setattr("scoring.rehearsal.BUNDLES", tmp_path / "bundles")

    def refused(*options):
        options += ("--models", MODELS, "--store", tmp_path / "store", "--backend", "serial")
        result = CliRunner().invoke(app, ["rehearse", *map(str, (written(SOURCE), *options))])
        assert result.exit_code == 1
        return result.stderr

    return refused


def test_a_folder_with_other_files_is_never_emptied(refused, tmp_path, monkeypatch):
    """A rehearsal removes what an earlier one left, but nothing from a home folder named by mistake."""
    monkeypatch.setattr(tasks, "load", lambda name, data, model: toys.task())
    home = tmp_path / "home"
    (home / "save").mkdir(parents=True)
    (home / "save/thesis.tex").write_text("years of work")
    (home / "letters").mkdir()
    assert f"{home} holds letters, which is not from a rehearsal" in refused("--out", home)
    assert (home / "save/thesis.tex").read_text() == "years of work"
    assert (home / "letters").is_dir()
    assert "mine.py is a file, but a rehearsal needs a folder" in refused("--out", tmp_path / "mine.py")


def test_a_task_with_another_network_cannot_be_rehearsed(refused, tmp_path, monkeypatch):
    digits = tasks.load("digits")
    short = replace(digits, recipe=replace(digits.recipe, epochs=1))
    monkeypatch.setattr(tasks, "load", lambda name, data, model: short)
    message = refused("--task", "digits", "--out", tmp_path / "out")
    assert "This task cannot be rehearsed: the competition's notebook builds torchvision's resnet18" in message


def test_a_task_with_other_pictures_cannot_be_rehearsed(tmp_path):
    with pytest.raises(KaggleError, match="cannot be rehearsed: retain: expected pictures of the competition's shape"):
        lay_out(tmp_path, "a-competition", tasks.load("digits").sets, resnet18(num_classes=10).state_dict(), "new")
