"""Rows of finished work on disk: written once, as a whole, and found again by what decided them."""

import errno
import hashlib
import io
import json
import os
import stat
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from filelock import FileLock, Timeout

from scoring.jobs.job import Row
from starter_kit.errors import MachineError, quoted

CHECKSUM_BYTES = 32

LAYOUT = "layout.json"
"""Beside the rows: what every one of them is like."""

LONGEST_PREFIX = 150
"""Bytes of a name that a pool's folder begins with. A file system takes 255, and the digest tells pools apart."""


def write_atomically(path: Path, content: bytes) -> None:
    """Put ``content`` at ``path`` so that a reader, and a crash at any moment, sees all of it or nothing.

    Raises:
        MachineError: the folder cannot be created or written, or the disk is full.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink()
        raise _cannot_write(path, error) from error


@dataclass(frozen=True)
class Rows:
    """The rows of one pool: a folder with one file per row, each a SHA-256 checksum followed by an ``.npz``.

    The checksum also covers the key. What the first row is like lies beside the rows, and the others must be like it.

    Attributes:
        folder: named after the key.
        key: what decides the rows, as JSON. A copy lies beside them in ``key.json``, for people to read.
    """

    folder: Path
    key: str

    def read(self, indices: Iterable[int]) -> tuple[dict[int, Row], list[int]]:
        """The intact rows among these, by index, and the indices of damaged ones.

        A row is intact if it was written under this key, is complete, and is like the first row of its pool.

        Raises:
            MachineError: something that is no file lies in a row's place, or a file cannot be read.
        """
        layout = self._layout()
        rows, damaged = {}, []
        for index in indices:
            content = _content(self._path(index))
            if content is None:
                continue
            row = self._row(content)
            if row is None or layout not in (None, layout_of(row)):
                damaged.append(index)
            else:
                rows[index] = row
        return rows, damaged

    def write(self, index: int, row: Row) -> None:
        """Keep a finished row. Raises ``MachineError`` if the disk does not accept it."""
        buffer = io.BytesIO()
        np.savez(buffer, **row)  # type: ignore[arg-type]
        payload = buffer.getvalue()
        if self._layout() is None:
            write_atomically(self.folder / LAYOUT, json.dumps(layout_of(row)).encode())
        write_atomically(self._path(index), self._checksum(payload) + payload)

    def _checksum(self, payload: bytes) -> bytes:
        """Of the row and of its key, so that another pool's row is none of this one."""
        return hashlib.sha256(hashlib.sha256(self.key.encode()).digest() + payload).digest()

    def _row(self, content: bytes) -> Row | None:
        """The row in a file's content, or None if it is damaged or something else."""
        checksum, payload = content[:CHECKSUM_BYTES], content[CHECKSUM_BYTES:]
        return unpacked(payload) if self._checksum(payload) == checksum else None

    def _layout(self) -> dict | None:
        """What every row of the pool is like, or None before the first one."""
        try:
            found = json.loads(_content(self.folder / LAYOUT) or b"null")
        except ValueError:
            return None
        return found if isinstance(found, dict) else None

    @contextmanager
    def lock(self, on_wait: Callable[[], None]) -> Iterator[None]:
        """Keep other runs from making the same rows; they wait, and then find them finished.

        The lock is released when its process ends, however it ends. ``on_wait`` is called if another run holds it.
        """
        lock = FileLock(self.folder / "lock")
        try:
            try:
                lock.acquire(timeout=0)
            except Timeout:
                on_wait()
                lock.acquire()
        except OSError as error:
            raise _cannot_write(self.folder / "lock", error) from error
        try:
            self._clear()
            self._check_key()
            yield
        finally:
            lock.release()

    def _clear(self) -> None:
        """Remove what a run that was killed left: nobody writes here without the lock."""
        try:
            for leftover in self.folder.glob(".*.tmp"):
                leftover.unlink()
        except OSError as error:
            raise _cannot_write(leftover, error) from error

    def _check_key(self) -> None:
        """Write the key beside the rows, or refuse a folder that holds another one."""
        path = self.folder / "key.json"
        # An empty file is what a crash of the machine may leave.
        if not (found := _content(path)):
            write_atomically(path, self.key.encode())
        elif found != self.key.encode():
            raise MachineError(
                f"{quoted(path)} is not the key of this pool, so the rows beside it may be another's. Remove the "
                f"folder {quoted(self.folder)}, or name another store with STORE=."
            )

    def _path(self, index: int) -> Path:
        return self.folder / f"{index:05d}.row"


def find_rows(store: Path, name: str, key: Mapping[str, str]) -> Rows:
    """The rows that ``key`` decides, to read. Everything that could change a bit of them must be in it.

    Args:
        store: the folder of all pools.
        name: a readable prefix for the pool's folder.
        key: what decides the rows.
    """
    readable = os.fsencode(name)[:LONGEST_PREFIX].decode(errors="ignore")
    return Rows(store / f"{readable}-{digest_of_key(key)}", _text_of_key(key))


def open_rows(store: Path, name: str, key: Mapping[str, str]) -> Rows:
    """The rows that ``key`` decides, in a folder that is created if necessary.

    Raises:
        MachineError: the folder cannot be created or written.
    """
    rows = find_rows(store, name, key)
    try:
        rows.folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _cannot_write(rows.folder, error) from error
    return rows


def digest_of_key(key: Mapping[str, str]) -> str:
    """Sixteen hexadecimal digits that stand for a key."""
    return hashlib.sha256(_text_of_key(key).encode()).hexdigest()[:16]


def _text_of_key(key: Mapping[str, str]) -> str:
    return json.dumps(dict(key), indent=2, sort_keys=True)


def unpacked(payload: bytes) -> Row | None:
    """The arrays in an ``.npz`` as rows are written, uncompressed and without objects, or None if it is none."""
    try:
        with zipfile.ZipFile(io.BytesIO(payload)) as parts:
            # What is compressed was not written here, and may unpack to more than fits into memory.
            if any(part.compress_type != zipfile.ZIP_STORED for part in parts.infolist()):
                return None
            if sum(part.file_size for part in parts.infolist()) > len(payload):
                return None
        with np.load(io.BytesIO(payload), allow_pickle=False) as arrays:
            row = dict(arrays)
    except (ValueError, TypeError, KeyError, AttributeError, OSError, EOFError, RuntimeError, MemoryError):
        return None
    except zipfile.BadZipFile:
        return None
    return row if all(isinstance(value, np.ndarray) for value in row.values()) else None


def layout_of(row: Row) -> dict[str, list]:
    """What the rows of a pool have in common: each array's kind, its shape, and whether it holds NaN.

    Times may be NaN in some rows and not in others: not every row holds a measurement.
    """
    found = {}
    for name, value in row.items():
        kind = value.dtype.kind if value.dtype.kind in "US" else value.dtype.str
        measured = value.dtype.kind in "fc" and not name.endswith("seconds")
        nan = bool(np.isnan(value).any()) if measured else False
        found[name] = [kind, list(value.shape), nan]
    return found


def _content(path: Path) -> bytes | None:
    """What a file holds, or None if there is none.

    Raises:
        MachineError: it cannot be read, or is no file.
    """
    try:
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
            raise MachineError(f"Cannot read {quoted(path)}: it is no file. Remove it.")
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise MachineError(
            f"Cannot read {quoted(path)}: {error.strerror}. Remove it, or name another store with STORE=."
        ) from error


def _cannot_write(path: Path, error: OSError) -> MachineError:
    in_the_way = error.errno in (errno.EISDIR, errno.EEXIST, errno.ELOOP)
    advice = "Remove what is in its place" if in_the_way else "Make room"
    return MachineError(
        f"Cannot write {quoted(path)}: {error.strerror}. {advice}, or name another folder with STORE= or OUT=."
    )
