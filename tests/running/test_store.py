import errno
import hashlib
import io
import json
import os
import resource
import subprocess
import sys
import time
import zipfile

import numpy as np
import pytest

from scoring.running.store import open_rows, write_atomically
from starter_kit.errors import MachineError

ROW = {"answer": np.arange(5.0), "seconds": np.array(1.5)}


@pytest.fixture
def rows(tmp_path):
    return open_rows(tmp_path, "retrained-digits", {"seed": "0"})


def path_of(rows, index):
    return rows.folder / f"{index:05d}.row"


def test_rows_are_found_again(rows, tmp_path):
    rows.write(3, ROW)
    found, damaged = open_rows(tmp_path, "retrained-digits", {"seed": "0"}).read(range(8))
    assert list(found) == [3]
    assert damaged == []
    for name, values in ROW.items():
        np.testing.assert_array_equal(found[3][name], values)


def test_another_key_is_another_pool(rows, tmp_path):
    rows.write(0, ROW)
    assert open_rows(tmp_path, "retrained-digits", {"seed": "1"}).read([0]) == ({}, [])


def test_the_same_row_is_the_same_bytes(rows):
    rows.write(0, ROW)
    rows.write(1, ROW)
    assert path_of(rows, 0).read_bytes() == path_of(rows, 1).read_bytes()


@pytest.mark.parametrize("at", [0, 40, 200, -1])
def test_any_flipped_byte_is_noticed(rows, at):
    rows.write(0, ROW)
    content = bytearray(path_of(rows, 0).read_bytes())
    content[at] ^= 1
    path_of(rows, 0).write_bytes(content)
    assert rows.read([0]) == ({}, [0])


@pytest.mark.parametrize("length", [0, 10, 32, 100])
def test_a_truncated_row_is_noticed(rows, length):
    rows.write(0, ROW)
    path_of(rows, 0).write_bytes(path_of(rows, 0).read_bytes()[:length])
    assert rows.read([0]) == ({}, [0])


def test_a_row_that_cannot_be_read(rows):
    path_of(rows, 0).mkdir()
    with pytest.raises(MachineError, match=r"Cannot read .*00000.row: Is a directory"):
        rows.read([0])


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(MachineError, match=r"Cannot write .*Not a directory.*name another folder with STORE="):
        open_rows(tmp_path / "file", "retrained-digits", {})


def test_a_disk_that_takes_no_more_loses_nothing(rows):
    """A limit on the size of files is the part of a full disk that a test may make."""
    rows.write(0, ROW)
    before = path_of(rows, 0).read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
    try:
        with pytest.raises(MachineError, match=f"{os.strerror(errno.EFBIG)}. Make room") as caught:
            rows.write(0, {"answer": np.zeros(1000)})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert isinstance(caught.value.__cause__, OSError)
    assert path_of(rows, 0).read_bytes() == before
    assert not list(rows.folder.glob("*.tmp"))


def test_a_second_process_waits_for_the_lock_and_a_killed_one_lets_go(rows, tmp_path):
    hold = (
        "import sys, time; from pathlib import Path; from scoring.running.store import Rows\n"
        "with Rows(Path(sys.argv[1]), '').lock(print): print('held', flush=True); time.sleep(60)"
    )
    holder = subprocess.Popen([sys.executable, "-c", hold, str(rows.folder)], stdout=subprocess.PIPE)
    assert holder.stdout.readline() == b"held\n"
    waited = []
    start = time.monotonic()
    # Being told that one has to wait is the moment at which the other is killed.
    with rows.lock(lambda: (waited.append(True), holder.kill())):
        assert waited == [True]
        assert time.monotonic() - start < 10
    holder.communicate()


def test_what_a_killed_run_left_is_cleared_away(rows):
    (rows.folder / ".00001.row.123.tmp").write_bytes(b"half a row")
    with rows.lock(lambda: None):
        assert not list(rows.folder.glob(".*.tmp"))


def test_writing_leaves_the_old_file_or_the_new(tmp_path):
    path = tmp_path / "folder" / "file"
    write_atomically(path, b"old")
    write_atomically(path, b"new")
    assert path.read_bytes() == b"new"
    assert [file.name for file in path.parent.iterdir()] == ["file"]


def test_the_key_is_kept_for_people_to_read(rows):
    with rows.lock(lambda: None):
        assert json.loads((rows.folder / "key.json").read_text()) == {"seed": "0"}


def packed(**arrays):
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def bomb():
    """A thousandth of what it unpacks to."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, answer=np.zeros(10_000_000), seconds=np.array(1.5))
    return buffer.getvalue()


def claiming(shape):
    """An array of another size than its header says."""
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f8", "fortran_order": False, "shape": shape})
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as parts:
        parts.writestr("answer.npy", header.getvalue() + bytes(40))
        parts.writestr("seconds.npy", header.getvalue() + bytes(8))
    return buffer.getvalue()


def objects():
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=True, answer=np.array([{}, None]), seconds=np.array(1.5))
    return buffer.getvalue()


def single():
    buffer = io.BytesIO()
    np.save(buffer, np.arange(5.0))
    return buffer.getvalue()


def foreign_part():
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as parts:
        parts.writestr("answer.txt", "no array")
    return buffer.getvalue()


FOREIGN = {
    "nothing": b"",
    "text": b"no row",
    "a zip of nothing": b"PK\x05\x06" + bytes(18),
    "a zip of text": foreign_part(),
    "a bomb": bomb(),
    "a lying header": claiming((10**12,)),
    "a negative header": claiming((-1,)),
    "objects": objects(),
    "a single array": single(),
    "no arrays": packed(),
    "an array is missing": packed(answer=np.arange(5.0)),
    "an array too many": packed(**ROW, more=np.zeros(1)),
    "another shape": packed(answer=np.arange(6.0), seconds=np.array(1.5)),
    "another kind": packed(answer=np.arange(5), seconds=np.array(1.5)),
    "text for numbers": packed(answer=np.array(["a"] * 5), seconds=np.array(1.5)),
    "NaN": packed(answer=np.array([0, 1, np.nan, 3, 4]), seconds=np.array(1.5)),
}


@pytest.mark.parametrize("payload", FOREIGN.values(), ids=FOREIGN)
def test_a_whole_file_that_is_no_row_is_damaged(rows, payload):
    rows.write(0, ROW)
    for checksum in (rows._checksum(payload), hashlib.sha256(payload).digest()):
        path_of(rows, 1).write_bytes(checksum + payload)
        found, damaged = rows.read([0, 1])
        assert (list(found), damaged) == ([0], [1])
    rows.write(1, ROW)
    assert rows.read([1])[1] == []


def test_a_row_of_another_pool_is_damaged(rows, tmp_path):
    other = open_rows(tmp_path, "retrained-digits", {"seed": "1"})
    other.write(0, ROW)
    path_of(rows, 0).write_bytes(path_of(other, 0).read_bytes())
    assert rows.read([0]) == ({}, [0])


@pytest.mark.parametrize(("first", "second"), [(0.5, np.nan), (np.nan, 0.5)])
def test_a_time_that_only_some_rows_know_damages_none(rows, first, second):
    """Retraining is timed beside some runs only."""
    for index, seconds in enumerate((first, second)):
        rows.write(index, ROW | {"retraining_seconds": np.array([seconds])})
    found, damaged = rows.read([0, 1])
    assert (list(found), damaged) == ([0, 1], [])


@pytest.mark.parametrize("layout", [b"", b"null", b"[1]", b"{", b"\xff"])
def test_a_layout_that_cannot_be_read_is_written_again(rows, layout):
    (rows.folder / "layout.json").write_bytes(layout)
    rows.write(0, ROW)
    assert json.loads((rows.folder / "layout.json").read_text())["answer"] == ["<f8", [5], False]
    assert list(rows.read([0])[0]) == [0]


def unclear(kind, path):
    """Put something that is no file at ``path``."""
    match kind:
        case "folder":
            path.mkdir()
        case "loop":
            path.symlink_to(path.name)
        case "pipe":
            os.mkfifo(path)
        case "dangling":
            path.symlink_to("nowhere/at/all")


@pytest.mark.parametrize(
    ("name", "kind", "message"),
    [
        ("00000.row", "loop", "Cannot read .*00000.row: Too many levels of symbolic links. Remove it, or name another"),
        ("00000.row", "pipe", "Cannot read .*00000.row: it is no file. Remove it."),
        ("layout.json", "folder", "Cannot read .*layout.json: Is a directory. Remove it, or name another store"),
        ("key.json", "folder", "Cannot read .*key.json: Is a directory. Remove it, or name another store with STORE="),
        ("key.json", "loop", "Cannot read .*key.json: Too many levels of symbolic links. Remove it"),
        ("key.json", "pipe", "Cannot read .*key.json: it is no file. Remove it."),
        ("lock", "folder", "Cannot write .*lock: Is a directory. Remove what is in its place, or name another folder"),
        ("lock", "dangling", "Cannot write .*lock: .*, or name another folder with STORE="),
        (".00000.row.1.tmp", "folder", "Cannot write .*00000.row.1.tmp: Is a directory. Remove what is in its place"),
    ],
)
def test_what_is_in_the_place_of_a_file_is_named(rows, name, kind, message):
    unclear(kind, rows.folder / name)
    with pytest.raises(MachineError, match=message), rows.lock(lambda: None):
        rows.read([0])


@pytest.mark.parametrize("name", ["00000.row", "key.json", "layout.json"])
def test_a_dangling_link_is_replaced(rows, name):
    unclear("dangling", rows.folder / name)
    with rows.lock(lambda: None):
        assert rows.read([0]) == ({}, [])
        rows.write(0, ROW)
    assert list(rows.read([0])[0]) == [0]


@pytest.mark.parametrize("content", [b'{"seed": "1"}', b"\xff", b"no key"])
def test_a_folder_of_another_key_is_refused(rows, content):
    (rows.folder / "key.json").write_bytes(content)
    with (
        pytest.raises(
            MachineError, match=r"key.json is not the key of this pool.*Remove the folder .*retrained-digits"
        ),
        rows.lock(lambda: None),
    ):
        pass
    assert (rows.folder / "key.json").read_bytes() == content


def test_what_else_lies_in_the_store_is_left_alone(rows, tmp_path):
    (tmp_path / "a stray folder").mkdir()
    (rows.folder / "00003.row.old").mkdir()
    (rows.folder / "notes.txt").touch()
    with rows.lock(lambda: None):
        rows.write(0, ROW)
    assert list(rows.read(range(3))[0]) == [0]
    assert {path.name for path in rows.folder.iterdir()} >= {"00003.row.old", "notes.txt"}


@pytest.mark.parametrize("name", ["x" * 250, "大" * 83, "a\x1b[31m\n"])
def test_a_pool_of_any_name_has_a_folder(tmp_path, name):
    rows = open_rows(tmp_path, f"{name}-digits", {"seed": "0"})
    with rows.lock(lambda: None):
        rows.write(0, ROW)
    assert list(rows.read([0])[0]) == [0]
