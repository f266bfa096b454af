"""A zip or folder of checkpoints is untrusted: each defence is tested with one that would break through without it."""

import json
import os
import stat
import struct
import zipfile

import numpy as np
import pytest
import torch

from scoring.reports.files import load_outputs
from scoring.untrusted.checkpoints import MAX_RATIO, find, largest
from starter_kit import tasks
from starter_kit.errors import InputError, SubmissionError
from tests.conftest import MODELS
from tests.untrusted.checkpoint_files import name, read_all, refused, saved, states, zipped


@pytest.mark.parametrize("kind", ["zip", "deflated zip", "folder"])
@pytest.mark.parametrize("half", [True, False], ids=["half", "single"])
def test_a_zip_and_a_folder_get_the_score_of_their_models(kit, store, original, tmp_path, kind, half):
    written = {name(index): saved(state) for index, state in enumerate(states(original, half))}
    path = tmp_path / ("models" if kind == "folder" else "models.zip")
    if kind == "folder":
        path.mkdir()
        for entry, content in written.items():
            (path / entry).write_bytes(content)
    else:
        zipped(path, written, "", zipfile.ZIP_STORED if kind == "zip" else zipfile.ZIP_DEFLATED)
    result = kit("score", "--checkpoints", path)
    assert result.exit_code == 0, result.stderr
    assert f"models on digits, {MODELS} models per pool" in result.stdout
    outputs = load_outputs(tmp_path / "report/unlearned.npz")
    task = tasks.load("digits")
    for index, state in enumerate(states(original, half)):
        net = task.network()
        net.load_state_dict({key: value.float() for key, value in state.items()})
        with torch.inference_mode():
            correct = net.eval()(task.test.inputs).argmax(dim=1) == task.test.targets
        assert outputs.test_accuracy[index] == correct.double().mean()
    assert len(np.unique(outputs.test_confidence, axis=0)) == MODELS
    assert np.isnan(outputs.seconds).all()
    report = json.loads((tmp_path / "report/report.json").read_text())
    assert report["time"]["ratio"] is None
    assert report["unlearned"]["accuracy"]["test"] == pytest.approx(outputs.test_accuracy.mean())


def test_a_damaged_file_deep_in_the_zip_fails_with_its_name(kit, files, tmp_path):
    path = zipped(tmp_path / "models.zip", files | {name(5): b"not a checkpoint"})
    result = kit("score", "--checkpoints", path)
    assert result.exit_code == 1
    assert (
        f"{path}, kaggle/tmp/unlearned_checkpoint_5.pth: it is not a checkpoint written by torch.save" in result.stderr
    )
    assert "Traceback" not in result.stderr


def test_511_checkpoints_are_not_512(original, tmp_path):
    path = zipped(tmp_path / "models.zip", {name(index): b"" for index in range(512) if index != 37})
    message = r"expected exactly 512 files, .* found 511; the first missing one is unlearned_checkpoint_37.pth"
    refused(path, original, message, models=512)


def test_a_file_that_is_not_a_zip(original, tmp_path):
    (tmp_path / "models.zip").write_bytes(b"PK\x03\x04 and then nothing")
    refused(
        tmp_path / "models.zip",
        original,
        r"cannot be read as a zip file \(File is not a zip file\). Expected the submission.zip",
    )
    (tmp_path / "models.zip").write_bytes(b"")
    refused(tmp_path / "models.zip", original, "cannot be read as a zip file")
    with pytest.raises(InputError, match=r"There are no checkpoints at .*nothing.zip"):
        find(tmp_path / "nothing.zip", MODELS, original)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("../unlearned_checkpoint_7.pth", "its path leads out of the zip"),
        ("kaggle/tmp/../../unlearned_checkpoint_7.pth", "its path leads out of the zip"),
        ("/etc/unlearned_checkpoint_7.pth", "its path leads out of the zip"),
        ("C:/unlearned_checkpoint_7.pth", "its path leads out of the zip"),
        ("..\\unlearned_checkpoint_7.pth", "its path leads out of the zip"),
        ("\x1b[2Junlearned_checkpoint_7.pth", "its name contains unprintable characters"),
        ("kaggle/tmp/other/unlearned_checkpoint_7.pth", "expected all files in one folder of the zip"),
        ("kaggle/tmp/unlearned_checkpoint_8.pth", "expected the names unlearned_checkpoint_0.pth to _7.pth"),
        ("kaggle/tmp/unlearned_checkpoint_07.pth", "expected the names unlearned_checkpoint_0.pth to _7.pth"),
        ("kaggle/tmp/unlearned_checkpoint_7.pth.txt", "expected the names unlearned_checkpoint_0.pth to _7.pth"),
        ("kaggle/tmp/model.pth", "expected the names unlearned_checkpoint_0.pth to _7.pth"),
        ("kaggle/tmp/unlearned_checkpoint_7.pth/", "it is not a regular file"),
    ],
)
def test_names_in_a_zip(original, files, tmp_path, entry, message):
    path = zipped(tmp_path / "models.zip", {key: files[key] for key in list(files)[:-1]})
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(zipfile.ZipInfo(entry), b"")
    refused(path, original, message)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_name_that_occurs_twice(original, files, tmp_path):
    path = zipped(tmp_path / "models.zip", {key: files[key] for key in list(files)[:-1]})
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("kaggle/tmp/" + name(3), files[name(4)])
    refused(path, original, r"unlearned_checkpoint_3.pth': the name occurs 2 times")


def test_symbolic_links(original, files, tmp_path):
    path = zipped(tmp_path / "models.zip", {key: files[key] for key in list(files)[:-1]})
    link = zipfile.ZipInfo("kaggle/tmp/" + name(7))
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(link, "/etc/passwd")
    refused(path, original, "it is a symbolic link")

    (tmp_path / "models").mkdir()
    for entry, content in files.items():
        (tmp_path / "models" / entry).write_bytes(content)
    target = tmp_path / "models" / name(7)
    target.rename(tmp_path / "elsewhere.pth")
    target.symlink_to(tmp_path / "elsewhere.pth")
    refused(tmp_path / "models", original, "it is a symbolic link")
    target.unlink()
    os.mkfifo(target)
    refused(tmp_path / "models", original, "it is not a regular file")


def test_a_link_that_replaces_a_file_after_listing(original, files, tmp_path):
    (tmp_path / "models").mkdir()
    for entry, content in files.items():
        (tmp_path / "models" / entry).write_bytes(content)
    found = find(tmp_path / "models", MODELS, original)
    (tmp_path / "models" / name(0)).rename(tmp_path / "elsewhere.pth")
    (tmp_path / "models" / name(0)).symlink_to(tmp_path / "elsewhere.pth")
    with pytest.raises(SubmissionError, match=r"unlearned_checkpoint_0.pth: it cannot be read"):
        found.state(0, original)


def test_a_folder_is_read_where_the_system_cannot_refuse_links(monkeypatch, original, files, tmp_path):
    """On Windows."""
    monkeypatch.delattr(os, "O_NOFOLLOW", raising=False)
    monkeypatch.delattr(os, "O_NONBLOCK", raising=False)
    (tmp_path / "models").mkdir()
    for entry, content in files.items():
        (tmp_path / "models" / entry).write_bytes(content)
    assert len(read_all(tmp_path / "models", original, MODELS)) == MODELS


def test_a_zip_bomb_is_refused_before_it_is_read(original, files, tmp_path):
    bomb = bytes(100 * largest(original))
    path = zipped(tmp_path / "models.zip", files | {name(2): bomb}, compression=zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < 2 * sum(map(len, files.values()))
    refused(path, original, f"it inflates to {len(bomb)} bytes, and a checkpoint of this task has at most")
    path = zipped(tmp_path / "models.zip", files | {name(2): bytes(10**6)}, compression=zipfile.ZIP_DEFLATED)
    refused(path, original, f"-fold, and weights inflate at most {MAX_RATIO}-fold")
    (tmp_path / "models").mkdir()
    for entry, content in files.items():
        (tmp_path / "models" / entry).write_bytes(content)
    (tmp_path / "models" / name(1)).write_bytes(bomb)
    refused(tmp_path / "models", original, f"it has {len(bomb)} bytes, and a checkpoint of this task has at most")


def test_a_false_size_in_the_zip(original, files, tmp_path):
    """The zip's directory claims that the entry is small, but it inflates to more."""
    bomb = bytes(10 * largest(original))
    path = zipped(tmp_path / "models.zip", files | {name(7): bomb}, compression=zipfile.ZIP_DEFLATED)
    content = bytearray(path.read_bytes())
    lie = struct.pack("<L", 5000)
    at = 0
    while (at := content.find(struct.pack("<L", len(bomb)), at)) >= 0:
        content[at : at + 4] = lie
        at += 4
    path.write_bytes(content)
    refused(path, original, r"unlearned_checkpoint_7.pth: (it cannot be inflated|it is not a checkpoint)")


def test_encrypted_and_strangely_compressed_entries(original, files, tmp_path):
    path = zipped(tmp_path / "models.zip", files, compression=zipfile.ZIP_LZMA)
    refused(path, original, "it is compressed by a method other than deflate")
    path = zipped(tmp_path / "models.zip", files)
    content = bytearray(path.read_bytes())
    at = content.rindex(b"PK\x01\x02")
    content[at + 8] |= 1
    path.write_bytes(content)
    refused(path, original, "it is encrypted")
