"""Checkpoints are untrusted: each defence is tested with a file that would break through without it."""

import io
import json
import os
import pickle
import stat
import struct
import zipfile
from collections import OrderedDict
from copy import copy

import numpy as np
import pytest
import torch

from scoring.reports.files import load_outputs
from scoring.untrusted import weights
from scoring.untrusted.checkpoints import MAX_RATIO, find, largest
from scoring.untrusted.weights import weights_in_file
from starter_kit import tasks
from starter_kit.errors import InputError, SubmissionError
from tests.conftest import MODELS, make_pools


@pytest.fixture(scope="module")
def original(store):
    return make_pools(store).original.weights


def saved(state):
    buffer = io.BytesIO()
    torch.save(state, buffer)
    return buffer.getvalue()


def name(index):
    return f"unlearned_checkpoint_{index}.pth"


def states(original, half=True):
    """Different models: the original's weights with noise."""
    for index in range(MODELS):
        torch.manual_seed(index)
        yield {
            key: (value + 0.01 * torch.randn_like(value).abs()).to(torch.float16 if half else torch.float32)
            if value.is_floating_point()
            else value
            for key, value in original.items()
        }


@pytest.fixture(scope="module")
def files(original):
    """The content of good checkpoints by name."""
    return {name(index): saved(state) for index, state in enumerate(states(original))}


def zipped(path, files, folder="kaggle/tmp/", compression=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", compression) as archive:
        for entry, content in files.items():
            archive.writestr(folder + entry, content)
    return path


def read_all(path, original, models):
    found = find(path, models, original)
    return [found.state(index, original) for index in range(models)]


def refused(path, original, message, models=MODELS):
    """Listing it or reading one of its files fails with this message, which begins with the path."""
    with pytest.raises(SubmissionError, match=message) as caught:
        read_all(path, original, models)
    assert str(path) in str(caught.value)


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


class Evil:
    """Calls a function when it is unpickled without precautions."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def inside(content, compression=zipfile.ZIP_STORED, **changes):
    """A checkpoint with parts of it replaced or compressed."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(buffer, "w", compression) as new:
        for entry in old.namelist():
            new.writestr(entry, changes.get(entry.rpartition("/")[2], old.read(entry)))
    return buffer.getvalue()


def test_nothing_is_executed(original, files, tmp_path):
    created = tmp_path / "created"
    for content in (
        saved(OrderedDict(original) | {"evil": Evil(created)}),
        inside(files[name(0)], **{"data.pkl": pickle.dumps(Evil(created), protocol=2)}),
        inside(files[name(0)], **{"data.pkl": pickle.dumps(Evil(created))}),
        pickle.dumps(Evil(created)),
    ):
        refused(
            zipped(tmp_path / "models.zip", files | {name(1): content}),
            original,
            "its pickle contains|not a checkpoint",
        )
        assert not created.exists()


class Large:
    """Allocates 2 GB when it is unpickled, even by torch.load's safe mode."""

    def __reduce__(self):
        return bytearray, (2 * 10**9,)


def test_nothing_is_allocated(original, files, tmp_path):
    content = inside(files[name(0)], **{"data.pkl": pickle.dumps(Large(), protocol=2)})
    path = zipped(tmp_path / "models.zip", files | {name(1): content})
    refused(path, original, "it holds something other than weights: its pickle contains '__builtin__ bytearray'")


def test_a_tensor_larger_than_its_data(original, files, tmp_path):
    content = inside(files[name(0)], **{"0": b"1234"})
    refused(zipped(tmp_path / "models.zip", files | {name(1): content}), original, "record size")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "it is not a checkpoint written by torch.save"),
        (lambda good: good[: len(good) // 2], "it is not a checkpoint written by torch.save"),
        (
            lambda good: inside(good, zipfile.ZIP_DEFLATED),
            "is compressed and inflates to .*torch.save compresses nothing",
        ),
        (
            lambda good: inside(good, **{"data.pkl": b"\x80\x02."}),
            "it holds something other than weights, or is damaged",
        ),
    ],
    ids=["empty", "truncated", "compressed inside", "no weights"],
)
def test_files_that_are_no_checkpoints(original, files, tmp_path, content, message):
    content = content(files[name(1)]) if callable(content) else content
    refused(zipped(tmp_path / "models.zip", files | {name(1): content}), original, message)


def test_a_small_file_with_large_parts(original, files, tmp_path):
    """A checkpoint of 40 MB, compressed after torch.save wrote it."""
    content = inside(saved({"weight": torch.zeros(10**7)}), zipfile.ZIP_DEFLATED)
    assert len(content) < largest(original)
    path = zipped(tmp_path / "models.zip", files | {name(1): content})
    refused(path, original, r"inflates to 40000000 bytes, but torch.save compresses nothing")


def test_parts_that_overlap(original, files, tmp_path):
    """Two entries that refer to the same data, so that the parts are larger than the whole."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("archive/data/0", bytes(10**5))
        archive.filelist.append(copy(archive.getinfo("archive/data/0")))
        archive.filelist[-1].filename = "archive/data/1"
    path = zipped(tmp_path / "models.zip", files | {name(1): buffer.getvalue()})
    refused(path, original, r"its parts claim 200000 bytes, but the whole file has")


def change(**changes):
    return lambda state: {key: changes.get(key.replace(".", "_"), lambda value: value)(state[key]) for key in state}


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (lambda state: list(state.values()), "expected a dictionary of weights, found list"),
        (lambda state: {**state, "more": torch.zeros(1)}, "the first missing or unexpected one is 'more'"),
        (lambda state: {key: state[key] for key in list(state)[1:]}, "missing or unexpected one is 'conv1.weight'"),
        (change(fc_bias=lambda value: value.tolist()), "fc.bias: expected a tensor, found list"),
        (change(fc_bias=lambda value: value[:5].clone()), r"fc.bias: expected shape \(10,\), found \(5,\)"),
        (
            change(fc_bias=lambda value: value.double()),
            "fc.bias: expected torch.float32 or torch.float16, found torch.flo",
        ),
        (change(fc_bias=lambda value: value.bfloat16()), "found torch.bfloat16"),
        (change(fc_bias=lambda value: value.to(torch.complex64)), "found torch.complex64"),
        (
            change(fc_bias=lambda value: value.to_sparse()),
            "its pickle contains 'torch Size'",
        ),
        (change(bn1_num_batches_tracked=lambda value: value.float()), "expected torch.int64, found torch.float32"),
        (
            change(fc_bias=lambda value: value[:1].expand(10)),
            r"fc.bias: expected a contiguous tensor, found strides \(0,\)",
        ),
        (change(fc_bias=lambda value: torch.zeros(1).expand(2**33)), r"expected shape \(10,\), found \(8589934592,\)"),
        (change(fc_weight=lambda value: value * float("nan")), "fc.weight: 640 values are NaN or infinite"),
        (change(fc_bias=lambda value: value / 0), "fc.bias: 10 values are NaN or infinite"),
        (change(bn1_running_var=lambda value: -value), "bn1.running_var: a variance is negative"),
    ],
)
def test_impossible_weights(original, files, tmp_path, changed, message):
    content = saved(changed(original))
    path = zipped(tmp_path / "models.zip", files | {name(6): content})
    refused(path, original, rf"unlearned_checkpoint_6.pth: .*{message}")


def test_weights_in_another_order_or_memory_layout_are_accepted(original, files, tmp_path):
    state = {
        key: value.to(memory_format=torch.channels_last) if value.ndim == 4 else value
        for key, value in reversed(original.items())
    }
    found = weights_in_file(saved(state), original)
    assert list(found) == list(original)
    assert all(torch.equal(found[key], original[key]) for key in original)


def test_files_are_only_ever_loaded_in_safe_mode(monkeypatch, original, files, tmp_path):
    modes = []
    load = torch.load
    monkeypatch.setattr(weights.torch, "load", lambda *given, **named: modes.append(named) or load(*given, **named))
    found = find(
        zipped(tmp_path / "models.zip", files | {name(0): inside(files[name(0)], **{"0": b"1234"})}), MODELS, original
    )
    with pytest.raises(SubmissionError):
        found.state(0, original)
    found.state(1, original)
    assert [named["weights_only"] for named in modes] == [True, True]
