"""Rows of finished work on disk: written once and whole, found again by what decided them."""

import fcntl
import hashlib
import io
import json
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from scoring.errors import MachineError

Row = dict[str, NDArray]
"""What one job gave: arrays by name."""

CHECKSUM_BYTES = 32


def write_atomically(path: Path, content: bytes) -> None:
    """Put ``content`` at ``path`` so that a reader, and a crash at any moment, sees all of it or nothing.

    Raises:
        MachineError: the folder cannot be made or written, or the disk is full.
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
    """The rows of one pool: a folder with a file a row, each a SHA-256 checksum and then an ``.npz``.

    Attributes:
        folder: named after the key.
        key: what decides the rows, as JSON; kept beside them in ``key.json`` for people to read.
    """

    folder: Path
    key: str

    def read(self, indices: Iterable[int]) -> tuple[dict[int, Row], list[int]]:
        """The rows that are there and whole, by index, and the indices of those that are damaged."""
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
        """Keep a finished row. Raises ``MachineError`` if the disk does not take it."""
        buffer = io.BytesIO()
        np.savez(buffer, **row)  # type: ignore[arg-type]
        payload = buffer.getvalue()
        write_atomically(self._path(index), hashlib.sha256(payload).digest() + payload)

    @contextmanager
    def lock(self, on_wait: Callable[[], None]) -> Iterator[None]:
        """Keep other runs from computing the same rows; they wait, and then find them done.

        The lock goes with the process that holds it, however that process ends. ``on_wait`` is called if there
        is something to wait for.
        """
        try:
            file = (self.folder / "lock").open("w")
        except OSError as error:
            raise _cannot_write(self.folder / "lock", error) from error
        with file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                on_wait()
                fcntl.flock(file, fcntl.LOCK_EX)
            # Nobody writes here without the lock, so a temporary file is what a killed run left.
            for leftover in self.folder.glob(".*.tmp"):
                leftover.unlink()
            if not (self.folder / "key.json").exists():
                write_atomically(self.folder / "key.json", self.key.encode())
            yield

    def _path(self, index: int) -> Path:
        return self.folder / f"{index:05d}.row"


def open_rows(store: Path, name: str, key: dict[str, str]) -> Rows:
    """The rows that ``key`` decides: everything that could change a bit of them has to be in it.

    Args:
        store: the folder of all pools, made if need be.
        name: a readable beginning for the pool's folder.
        key: what decides the rows.

    Raises:
        MachineError: the folder cannot be made or written.
    """
    text = json.dumps(key, indent=2, sort_keys=True)
    folder = store / f"{name}-{hashlib.sha256(text.encode()).hexdigest()[:16]}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _cannot_write(folder, error) from error
    return Rows(folder, text)


def _cannot_write(path: Path, error: OSError) -> MachineError:
    """What to tell a person about it."""
    return MachineError(
        f"Cannot write {path}: {error.strerror}. Make room, or name another folder with STORE= or OUT=."
    )
