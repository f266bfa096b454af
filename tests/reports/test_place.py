"""A report is written whole or not at all, and a place that cannot be written shows before the work."""

import resource
import subprocess
from pathlib import Path

import pytest

from scoring.reports.place import check_place, write_together
from starter_kit.errors import InputError, MachineError

OLD = {"comparison.json": b"old", "comparison.png": b"old", "mine/report.json": b"old", "mine/unlearned.npz": b"old"}
NEW = dict.fromkeys((*OLD, "other/report.json"), b"new")


def found(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_report_replaces_an_earlier_one_and_nothing_else(tmp_path):
    (tmp_path / "notes.txt").write_bytes(b"mine")
    write_together(tmp_path, OLD)
    write_together(tmp_path, NEW)
    assert found(tmp_path) == NEW | {"notes.txt": b"mine"}


@pytest.mark.parametrize("error", [OSError(5, "Input/output error"), KeyboardInterrupt()], ids=["error", "Ctrl-C"])
@pytest.mark.parametrize("at", range(9))
def test_what_is_stopped_within_the_exchange_leaves_the_old_report(tmp_path, monkeypatch, at, error):
    write_together(tmp_path, OLD)
    replace, done = Path.replace, []

    def stopping(path, target):
        done.append(path)
        if len(done) == at + 1:
            raise error
        return replace(path, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", stopping)
        with pytest.raises((MachineError, KeyboardInterrupt)):
            write_together(tmp_path, NEW)
    assert found(tmp_path) == OLD


def test_whenever_it_is_killed_there_is_no_mixture(tmp_path, monkeypatch):
    """Where a JSON file is, all that it speaks of is of its own report. Between two renames nothing changes."""
    write_together(tmp_path, OLD)
    replace, states = Path.replace, []

    def watched(path, target):
        states.append(seen(tmp_path))
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", watched)
    write_together(tmp_path, NEW)
    states.append(seen(tmp_path))
    assert states[0] == OLD
    assert states[-1] == NEW
    for state in states:
        if "comparison.json" in state:
            assert state in (OLD, NEW)
        if "mine/report.json" in state:
            assert state["mine/unlearned.npz"] == state["mine/report.json"]


def seen(folder):
    return {name: content for name, content in found(folder).items() if not name.startswith(".")}


def test_what_a_killed_run_left_is_cleared_away(tmp_path):
    (tmp_path / ".unlearning-kit-1" / "new").mkdir(parents=True)
    write_together(tmp_path, OLD)
    assert found(tmp_path) == OLD
    assert len(list(tmp_path.iterdir())) == 3


def test_no_room_while_writing_leaves_the_old_report(tmp_path):
    write_together(tmp_path, OLD)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
    try:
        with pytest.raises(MachineError, match=r"Cannot write the report to .*File too large. Make room, or name"):
            write_together(tmp_path, NEW | {"mine/unlearned.npz": bytes(1000)})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert found(tmp_path) == OLD


def test_a_place_that_can_be_written_is_left_as_it_was(tmp_path):
    check_place(tmp_path / "a" / "b", ["report.json"])
    assert not list(tmp_path.iterdir())
    write_together(tmp_path / "a", OLD)
    check_place(tmp_path / "a", OLD)
    assert found(tmp_path / "a") == OLD


@pytest.mark.parametrize("place", ["file", "file/below", "dangling", "loop", "n" * 300, "/proc/none"])
def test_a_place_that_cannot_be_written(tmp_path, place):
    (tmp_path / "file").touch()
    (tmp_path / "dangling").symlink_to("nowhere/at/all")
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(InputError, match=r"^Cannot write the report to .*\. Name another with OUT="):
        check_place(tmp_path / place, ["report.json"])


@pytest.mark.parametrize("name", ["report.json", "mine/report.json"])
def test_a_folder_in_the_place_of_a_file(tmp_path, name):
    (tmp_path / name).mkdir(parents=True)
    with pytest.raises(InputError, match=rf"{name} is in the way. Remove it, or name another folder"):
        check_place(tmp_path, [name])


def test_a_file_in_the_place_of_a_folder(tmp_path):
    (tmp_path / "mine").touch()
    with pytest.raises(InputError, match=r"mine is in the way. Remove it, or name another folder"):
        check_place(tmp_path, ["mine/report.json"])


@pytest.fixture
def full_disk(tmp_path):
    """A disk of 64 KiB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", disk], capture_output=True).returncode:
        pytest.skip("no disk may be mounted here")
    yield disk
    subprocess.run(["umount", disk], check=True)


def test_a_full_disk_shows_before_the_work(full_disk):
    with pytest.raises(InputError, match=r"No space left on device. Make room, or name another folder with OUT="):
        check_place(full_disk / "report", ["report.json"])
    assert not list(full_disk.iterdir())
