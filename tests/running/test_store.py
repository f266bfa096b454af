import errno
import json
import os
import resource
import subprocess
import sys
import time

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
