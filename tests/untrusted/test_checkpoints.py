"""A zip or folder of checkpoints is untrusted: each defence is tested with one that would break through without it."""

import json
import os
import stat
import struct
import time
import zipfile

import numpy as np
import pytest
import safetensors.torch
import torch

from scoring.reports.files import load_outputs
from scoring.untrusted import checkpoints
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
    # The folder of a file outside of the checkout is nobody's business.
    assert report["run"]["command"] == f"make score CHECKPOINTS={path.name} TASK=digits MODELS={MODELS} SEED=0"
    assert (tmp_path / "report/report.html").read_text().count(report["run"]["command"]) == 1
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
        ("kaggle/tmp/unlearned_checkpoint_7.PTH", "expected the names unlearned_checkpoint_0.pth to _7.pth"),
        (
            "kaggle/tmp/unlearned_checkpoint_7.safetensors.pth",
            "expected the names unlearned_checkpoint_0.pth to _7.pth",
        ),
        ("kaggle/tmp/unlearned_checkpoint_\u0667.pth", "expected the names unlearned_checkpoint_0.pth to _7.pth"),
        ("kaggle/tmp/unlearned_checkpoint_7.pth ", "expected the names unlearned_checkpoint_0.pth to _7.pth"),
        (
            "kaggle/tmp/\u202eunlearned_checkpoint_7.pth",
            r"'kaggle/tmp/\\u202eunl.*: its name contains unprintable char",
        ),
        (
            "a" * 300 + "/unlearned_checkpoint_7.pth",
            "'a{200}'...: its name has 327 characters, and at most 200 are acc",
        ),
        (
            "kaggle/tmp/unlearned_checkpoint_6.safetensors",
            "expected one file for each model, found unlearned_checkpoint_6.pth and unlearned_checkpoint_6.safetensors",
        ),
    ],
)
def test_names_in_a_zip(original, files, tmp_path, entry, message):
    path = zipped(tmp_path / "models.zip", {key: files[key] for key in list(files)[:-1]})
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(zipfile.ZipInfo(entry), b"")
    refused(path, original, message)


def test_a_name_with_a_nul(original, files, tmp_path):
    """zipfile itself reads it up to the NUL, other programs do not."""
    path = zipped(tmp_path / "models.zip", files)
    path.write_bytes(path.read_bytes().replace(b"checkpoint_7.pth", b"checkpoint_7.\0th"))
    refused(path, original, r"'kaggle/tmp/unlearned_checkpoint_7.\\x00th': its name contains unprintable characters")


@pytest.mark.parametrize("kind", ["zip", "folder"])
def test_safetensors_are_accepted_next_to_pth(original, files, tmp_path, kind):
    written = {
        (entry.replace(".pth", ".safetensors") if index % 2 else entry): (
            safetensors.torch.save(state) if index % 2 else saved(state)
        )
        for index, (entry, state) in enumerate(zip(files, states(original), strict=True))
    }
    path = tmp_path / "models"
    if kind == "zip":
        zipped(path, written)
    else:
        path.mkdir()
        for entry, content in written.items():
            (path / entry).write_bytes(content)
    for found, state in zip(read_all(path, original, MODELS), states(original), strict=True):
        assert all(torch.equal(found[key], state[key].to(found[key].dtype)) for key in original)
    with_both = files | {name(6): b"", name(7).replace("7.pth", "6.safetensors"): b""}
    with_both.pop(name(7))
    refused(zipped(tmp_path / "both.zip", with_both), original, "expected one file for each model, found ")


def test_the_wrong_ending(original, files, tmp_path):
    content = safetensors.torch.save(next(states(original)))
    path = zipped(tmp_path / "models.zip", files | {name(0): content})
    refused(
        path, original, "it is not a checkpoint written by torch.save: File is not a zip file.* the ending .safetensors"
    )


def spoiled(files, tmp_path, spoil):
    path = zipped(tmp_path / "models.zip", files)
    content = bytearray(path.read_bytes())
    path.write_bytes(spoil(content))
    return path


def with_fields(at, pattern, *values):
    """A function that replaces fields of a record: the last one with this signature, and how far into it they are."""

    def spoil(content):
        record, offset = at
        # Checkpoints are zips themselves, and contain records like the zip's own.
        begin = content.index(LAST) - 30 if record == LOCAL else content.rindex(record)
        struct.pack_into(pattern, content, begin + offset, *values)
        return content

    return spoil


def shifted(content, size=100):
    """The zip behind other bytes. Its last record gives places that a reader has to correct by their number."""
    return bytes(size) + content


LAST = b"kaggle/tmp/unlearned_checkpoint_7.pth"
END, LISTED, LOCAL = b"PK\5\6", b"PK\1\2", b"PK\3\4"


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda content: content + b"more", "it has a comment, or something follows it"),
        (lambda content: content[:-2] + b"\4\0more", "it has a comment, or something follows it"),
        (lambda content: content + content, "the records at its end contradict each other"),
        (shifted, "the records at its end contradict each other"),
        (with_fields((END, 8), "<HH", 7, 7), "the record at its end counts 7 entries, but its directory lists 8"),
        (with_fields((END, 8), "<H", 7), "the records at its end contradict each other"),
        (with_fields((END, 8), "<HH", 60000, 60000), "it lists 60000 entries, and at most 10008 are accepted"),
        (with_fields((END, 8), "<HH", 0, 0), "its directory has 1?[0-9]{3} bytes for 0 entries"),
        (with_fields((END, 4), "<H", 1), "the records at its end contradict each other"),
        (with_fields((END, 12), "<L", 10**6), "the records at its end contradict each other"),
        (with_fields((END, 16), "<L", 0), "the records at its end contradict each other"),
        (with_fields((LISTED, 42), "<L", 0), "its entry .*_7.pth' begins at 0, but the one before it ends at"),
        (with_fields((LISTED, 42), "<L", 2**31), "its entry .*_7.pth' begins at 2147483648, but the one be"),
        (with_fields((LISTED, 20), "<L", 2**31), "_7.pth': it takes 2147483648 bytes of the zip, and a checkpoint of"),
        (with_fields((LOCAL, 30), "<6s", b"Kaggle"), "the header of its entry .*_7.pth' contradicts its directory"),
        (with_fields((LOCAL, 8), "<H", 8), "the header of its entry .*_7.pth' contradicts its directory"),
        (with_fields((LOCAL, 6), "<H", 1), "the header of its entry .*_7.pth' contradicts its directory"),
        (with_fields((LOCAL, 18), "<LL", 7, 7), "the header of its entry .*_7.pth' contradicts its directory"),
        (with_fields((LOCAL, 28), "<H", 9), "its directory begins at [0-9]+, but its last entry ends at [0-9]+"),
    ],
    ids=[
        "appended", "comment", "two directories", "prepended", "count", "count on this disk", "large count", "no count",
        "disk", "size of the directory", "place of the directory", "two entries in one place", "place of an entry",
        "packed size",
        "local name", "local method", "local flags", "local size", "local extra field",
    ],
)  # fmt: skip
def test_records_that_contradict_each_other(original, files, tmp_path, spoil, message):
    refused(spoiled(files, tmp_path, spoil), original, message)


def test_something_between_two_entries(original, files, tmp_path):
    path = tmp_path / "models.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for entry, content in files.items():
            archive.writestr(entry, content)
            archive.fp.write(b"more" if entry == name(3) else b"")
            archive.start_dir = archive.fp.tell()
    refused(path, original, r"its entry 'unlearned_checkpoint_4.pth' begins at [0-9]+, but the one before it ends at")


def with_64_bit_end(content, count, size, begin):
    """A zip with an end for large zips, which comes before the ordinary one."""
    at = content.rindex(END)
    end = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, count, count, size, begin)
    return content[:at] + end + struct.pack("<4sLQL", b"PK\6\7", 0, at, 1) + content[at:]


def test_a_directory_that_claims_terabytes_is_refused_at_once(original, files, tmp_path):
    path = zipped(tmp_path / "models.zip", files)
    content = path.read_bytes()
    *_, size, begin, _ = struct.unpack("<4s4H2LH", content[-22:])
    path.write_bytes(with_64_bit_end(content, len(files), size, begin))
    assert len(read_all(path, original, MODELS)) == MODELS
    for count, message in (
        (len(files), "its directory has .* bytes for 8 entries"),
        (1200000, "it lists 1200000 entries"),
    ):
        # A hole of this size takes no disk.
        with path.open("wb") as file:
            file.truncate(2**33)
            file.seek(2**33)
            end = with_64_bit_end(
                struct.pack("<4s4H2LH", END, 0, 0, 65535, 65535, 2**32 - 1, 2**32 - 1, 0), count, 2**33, 0
            )
            file.write(end.replace(struct.pack("<LQL", 0, 0, 1), struct.pack("<LQL", 0, 2**33, 1)))
        started = time.perf_counter()
        refused(path, original, message)
        assert time.perf_counter() - started < 2
    path.write_bytes(with_64_bit_end(content, len(files), size, begin + 1))
    refused(path, original, "the records at its end contradict each other")


def test_a_zip_of_more_than_a_million_entries_is_refused_at_once(original, tmp_path):
    listed = struct.pack("<4s6H3L5H2L", LISTED, 20, 20, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0) + b"a"
    directory = listed * 1_200_000
    end = struct.pack("<4s4H2LH", END, 0, 0, 65535, 65535, len(directory), 0, 0)
    path = tmp_path / "models.zip"
    path.write_bytes(with_64_bit_end(directory + end, 1_200_000, len(directory), 0))
    started = time.perf_counter()
    refused(path, original, "it lists 1200000 entries, and at most 10008 are accepted")
    assert time.perf_counter() - started < 2


def test_a_folder_with_many_other_files(monkeypatch, original, files, tmp_path):
    monkeypatch.setattr(checkpoints, "STRANGE_FILES", 3)
    (tmp_path / "models").mkdir()
    for entry in [*files, *map(str, range(100))]:
        (tmp_path / "models" / entry).touch()
    refused(tmp_path / "models", original, f"expected exactly {MODELS} files, .*, found {MODELS + 3}")


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
