"""Rows of finished work on disk: written once, as a whole, and found again by what decided them."""

import hashlib
import io
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from filelock import FileLock, Timeout

from scoring.jobs.job import Row
from starter_kit.errors import MachineError

CHECKSUM_BYTES = 32


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

    Attributes:
        folder: named after the key.
        key: what decides the rows, as JSON. A copy lies beside them in ``key.json``, for people to read.
    """

    folder: Path
    key: str

    def read(self, indices: Iterable[int]) -> tuple[dict[int, Row], list[int]]:
        """The intact rows among these, by index, and the indices of damaged ones."""
        rows, damaged = {}, []
        for index in indices:
            try:
                content = self._path(index).read_bytes()
            except FileNotFoundError:
                continue
            except OSError as error:
                raise MachineError(f"Cannot read {self._path(index)}: {error.strerror}.") from error
            checksum, payload = content[:CHECKSUM_BYTES], content[CHECKSUM_BYTES:]
            if hashlib.sha256(payload).digest() == checksum:
                with np.load(io.BytesIO(payload), allow_pickle=False) as arrays:
                    rows[index] = dict(arrays)
            else:
                damaged.append(index)
        return rows, damaged

    def write(self, index: int, row: Row) -> None:
        """Keep a finished row. Raises ``MachineError`` if the disk does not accept it."""
        buffer = io.BytesIO()
        np.savez(buffer, **row)  # type: ignore[arg-type]
        payload = buffer.getvalue()
        write_atomically(self._path(index), hashlib.sha256(payload).digest() + payload)

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
            # Nobody writes here without the lock, so a temporary file was left by a run that was killed.
            for leftover in self.folder.glob(".*.tmp"):
                leftover.unlink()
            if not (self.folder / "key.json").exists():
                write_atomically(self.folder / "key.json", self.key.encode())
            yield
        finally:
            lock.release()

    def _path(self, index: int) -> Path:
        return self.folder / f"{index:05d}.row"


def open_rows(store: Path, name: str, key: Mapping[str, str]) -> Rows:
    """The rows that ``key`` decides. Everything that could change a bit of them must be in it.

    Args:
        store: the folder of all pools, created if necessary.
        name: a readable prefix for the pool's folder.
        key: what decides the rows.

    Raises:
        MachineError: the folder cannot be created or written.
    """
    folder = store / f"{name}-{digest_of_key(key)}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _cannot_write(folder, error) from error
    return Rows(folder, _text_of_key(key))


def digest_of_key(key: Mapping[str, str]) -> str:
    """Sixteen hexadecimal digits that stand for a key."""
    return hashlib.sha256(_text_of_key(key).encode()).hexdigest()[:16]


def _text_of_key(key: Mapping[str, str]) -> str:
    return json.dumps(dict(key), indent=2, sort_keys=True)


def _cannot_write(path: Path, error: OSError) -> MachineError:
    return MachineError(
        f"Cannot write {path}: {error.strerror}. Make room, or name another folder with STORE= or OUT=."
    )
