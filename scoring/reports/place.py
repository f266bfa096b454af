"""The folder of a report: whether it can be written, and writing it whole."""

import errno
import os
import shutil
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from starter_kit.errors import InputError, MachineError, quoted

STAGE = ".unlearning-kit"
"""The prefix of a folder in the report's own, where its files are written before they take their places."""

ROOM = 1 << 20
"""Bytes that must be free: about the size of a report."""


def check_place(folder: Path, names: Iterable[str]) -> None:
    """Try to write to a report's folder, so that a mistake or a full disk shows before hours of work.

    Args:
        folder: need not exist, and does not afterwards if it did not.
        names: the files that the report will consist of.

    Raises:
        InputError: the folder or one of the files cannot be written.
    """
    missing: list[Path] = []
    try:
        if folder.is_file():
            raise FileExistsError(errno.EEXIST, "it is a file, and no folder")
        missing += [path for path in (folder, *folder.parents) if not path.exists()]
        folder.mkdir(parents=True, exist_ok=True)
        stage = _stage(folder)
        try:
            _write(stage / "probe", b"anything")
            if shutil.disk_usage(stage).free < ROOM:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        finally:
            shutil.rmtree(stage, ignore_errors=True)
    except OSError as error:
        advice = "Make room, or name another folder" if error.errno in (errno.ENOSPC, errno.EDQUOT) else "Name another"
        raise InputError(
            f"Cannot write the report to {quoted(folder)}: {error.strerror}. {advice} with OUT=."
        ) from error
    finally:
        with suppress(OSError):
            for path in missing:
                path.rmdir()
    for name in names:
        path = folder / name
        if path.is_dir() or (path.parent.exists() and not path.parent.is_dir()):
            raise InputError(
                f"Cannot write the report to {quoted(folder)}: {quoted(path if path.is_dir() else path.parent)} is in "
                "the way. Remove it, or name another folder with OUT=."
            )


def write_together(folder: Path, contents: Mapping[str, bytes]) -> None:
    """Put files into a folder, all or none; other files there stay.

    All are written aside first, where a full disk shows. Then the old files make way, beginning with the JSON files,
    and the new ones take their places, ending with the JSON files, the first of ``contents`` last of all. So no JSON
    file ever lies beside files of another report: a run that is killed within these renames leaves none.

    Args:
        folder: created if it does not exist.
        contents: the files by their paths in the folder.

    Raises:
        MachineError: the folder cannot be created or written. Then it holds what it held before.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        stage = _stage(folder)
        try:
            for name, content in contents.items():
                _write(stage / "new" / name, content)
            first = next(iter(contents))
            _swap(folder, stage, sorted(contents, key=lambda name: (name.endswith(".json"), name == first)))
        finally:
            shutil.rmtree(stage, ignore_errors=True)
    except OSError as error:
        raise MachineError(
            f"Cannot write the report to {quoted(folder)}: {error.strerror}. Make room, or name another folder with "
            "OUT=. Finished models are kept; the same command continues from there."
        ) from error


def _stage(folder: Path) -> Path:
    """A new folder in a report's own, on its disk. What a killed run left there is removed."""
    for left in folder.glob(f"{STAGE}-*"):
        shutil.rmtree(left, ignore_errors=True)
    stage = folder / f"{STAGE}-{os.getpid()}"
    stage.mkdir()
    return stage


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _swap(folder: Path, stage: Path, names: list[str]) -> None:
    """Move the old files of these names out, the last one first, and the new ones in; back again on an error."""
    moved: list[str] = []
    placed: list[str] = []
    try:
        for name in reversed(names):
            (stage / "old" / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            if (folder / name).exists():
                (folder / name).replace(stage / "old" / name)
                moved.append(name)
        for name in names:
            (stage / "new" / name).replace(folder / name)
            placed.append(name)
    except BaseException:
        for name in placed:
            (folder / name).unlink()
        for name in reversed(moved):
            (stage / "old" / name).replace(folder / name)
        raise
