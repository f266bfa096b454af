"""The tensors in the bytes of a ``.pth`` that ``torch.save`` wrote: a zip with a pickle and a part per storage.

Neither torch nor pickle sees the file. Each part that is read here was checked, and no other reader can find another.
"""

import io
import re
import zipfile
import zlib
from collections import Counter

import torch
from torch import Tensor

from scoring.untrusted.names import quoted
from scoring.untrusted.state_pickle import state_in_pickle
from scoring.untrusted.stored import Storage, StoredTensor
from scoring.untrusted.zip_directory import opened, starts

REQUIRED = {"data.pkl", "version"}
OPTIONAL = {"byteorder", ".format_version", ".storage_alignment", ".data/serialization_id"}
"""The parts that each version of torch writes, and those that only some do, besides the numbers in ``data/``."""

NUMBERS = re.compile(r"data/(0|[1-9][0-9]{0,6})")
SMALL_PART = 100
"""Bytes that a part other than the pickle and the numbers may have. torch.save needs 40."""


def tensors_in_pth(content: bytes, most: int) -> object:
    """What was saved. In a dictionary, anything but a tensor, a number or a string is an empty value of its type.

    The tensors are views of one copy of the file's numbers, and may share them.

    Args:
        content: the whole file.
        most: the number of weights up to which it is read.

    Raises:
        ValueError: ``torch.save`` does not write weights like this; the message says what is different.
    """
    try:
        parts = _parts(content, most)
    except ValueError as error:
        raise ValueError(f"it is not a checkpoint written by torch.save: {error}") from error
    try:
        state = state_in_pickle(bytes(parts.pop("data.pkl")), most)
    except ValueError as error:
        raise ValueError(f"it holds something other than weights: {error}") from error
    return _with_tensors(state, parts) if isinstance(state, dict) else state


def _parts(content: bytes, most: int) -> dict[str, memoryview]:
    """The pickle and the numbers in ``data/``, by their names without the folder that all parts are in."""
    file = io.BytesIO(content)
    listed = opened(file, most + len(REQUIRED | OPTIONAL)).infolist()
    # The largest first, since it is the one to report.
    for entry in sorted(listed, key=lambda entry: -entry.file_size):
        _check_plain(entry)
    inside = sum(entry.file_size for entry in listed)
    if inside > len(content):
        raise ValueError(f"its parts claim {inside} bytes, but the whole file has {len(content)}")
    parts = {}
    whole = memoryview(content)
    names = _names(listed)
    for name, entry, start in zip(names, listed, starts(file, listed), strict=True):
        parts[name] = whole[start : start + entry.file_size]
        # torch can be told to write zeros instead of checksums.
        if entry.CRC not in (0, zlib.crc32(parts[name])):
            raise ValueError(f"its part {quoted(entry.filename)} is damaged: its checksum differs")
    for name in parts.keys() & OPTIONAL | {"version"}:
        if len(parts[name]) > SMALL_PART:
            raise ValueError(f"its part {name} has {len(parts[name])} bytes, and torch.save needs at most {SMALL_PART}")
    order = bytes(parts.get("byteorder", b"little"))
    if order != b"little":
        raise ValueError(f"expected its byteorder to be little, found {order!r}")
    return {name: part for name, part in parts.items() if name == "data.pkl" or NUMBERS.fullmatch(name)}


def _check_plain(entry: zipfile.ZipInfo) -> None:
    """Raise ``ValueError`` if a part is packed otherwise than by torch.save."""
    shown = quoted(entry.orig_filename)
    # zipfile cuts a name at a NUL.
    if entry.filename != entry.orig_filename or not entry.filename.isprintable():
        raise ValueError(f"the name of its part {shown} contains unprintable characters")
    if entry.compress_type != zipfile.ZIP_STORED or entry.compress_size != entry.file_size:
        raise ValueError(
            f"its part {shown} is compressed and inflates to {entry.file_size} bytes, but torch.save compresses nothing"
        )
    if entry.flag_bits & 1:
        raise ValueError(f"its part {shown} is encrypted")


def _names(listed: list[zipfile.ZipInfo]) -> list[str]:
    """The names of the parts without their folder, if they are those of torch.save and each occurs once."""
    folders = {entry.filename.partition("/")[0] for entry in listed}
    if len(folders) > 1:
        raise ValueError(f"expected all its parts in one folder, found {len(folders)}")
    names = [entry.filename.partition("/")[2] for entry in listed]
    for name, count in Counter(names).items():
        if name not in REQUIRED | OPTIONAL and not NUMBERS.fullmatch(name):
            raise ValueError(f"it has a part {quoted(name)}, and torch.save writes no such part for weights")
        if count > 1:
            raise ValueError(f"its part {name} occurs {count} times")
    missing = REQUIRED - set(names)
    if missing:
        raise ValueError(f"it has no part {min(missing)}")
    return names


def _with_tensors(state: dict[str, object], parts: dict[str, memoryview]) -> dict[str, object]:
    """The state with tensors in place of their descriptions."""
    storages: dict[str, Storage] = {}
    for value in state.values():
        if isinstance(value, StoredTensor) and storages.setdefault(value.storage.key, value.storage) != value.storage:
            raise ValueError(f"two tensors describe part {quoted(value.storage.key)} differently")
    numbers = {key: _numbers(storage, parts.get(f"data/{key}")) for key, storage in storages.items()}
    unused = [name for name in parts if name.partition("/")[2] not in storages]
    # Anything but a tensor is refused anyway, and for a reason that says more.
    if unused and all(isinstance(value, StoredTensor) for value in state.values()):
        raise ValueError(f"no tensor uses its part {unused[0]}")
    return {
        name: value.view(numbers[value.storage.key]) if isinstance(value, StoredTensor) else value
        for name, value in state.items()
    }


def _numbers(storage: Storage, part: memoryview | None) -> Tensor:
    """A copy of the numbers in a part."""
    if part is None:
        raise ValueError(f"its part data/{quoted(storage.key)} is missing")
    needed = storage.size * storage.dtype.itemsize
    if len(part) != needed:
        raise ValueError(f"expected {needed} bytes in its part data/{storage.key}, found {len(part)}")
    return torch.frombuffer(bytearray(part), dtype=storage.dtype) if part else torch.empty(0, dtype=storage.dtype)
