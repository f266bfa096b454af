"""Checkpoints from elsewhere: a zip or a folder that is read as what it may be, an attack.

Nothing is extracted, and no file is believed to be as large as it says. Which files there have to be is known
before, so anything else is refused; `weights.py` does the same for what is in each of them.
"""

import hashlib
import os
import re
import stat
import zipfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from torch import Tensor

from scoring.errors import InputError, MachineError, SubmissionError
from scoring.weights import weights_in_file

NAME = re.compile(r"unlearned_checkpoint_(0|[1-9][0-9]{0,6})\.pth")
MAX_RATIO = 200
"""Weights that were pruned to a hundredth shrink less than this; zeros shrink a thousandfold."""

OVERHEAD = 1 << 20
"""Bytes that a checkpoint may have beside its weights: names, alignment, the zip's own."""

BLOCK = 1 << 20


@dataclass(frozen=True)
class Checkpoints:
    """Models that were made elsewhere, of which so far only names and sizes are known to be right.

    Attributes:
        path: the zip or the folder.
        entries: where each model's file is in it, by the model's number.
        sha256: of all that is in them.
    """

    path: Path
    entries: tuple[str, ...]
    sha256: str

    @property
    def name(self) -> str:
        """The zip's name without its ending, or the folder's."""
        return self.path.stem if self.path.is_file() else self.path.name

    def state(self, index: int, original: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The weights of model ``index``, whole numbers as they were and all others as float32.

        Args:
            index: in [0, models).
            original: weights of the names and shapes that these have to have.

        Raises:
            SubmissionError: the file is not what it has to be; the message names it and says why.
        """
        where = f"{self.path}, {self.entries[index]}"
        limit = largest(original)
        if self.path.is_dir():
            content = _read_file(self.path / self.entries[index], limit)
        else:
            content = _read_entry(self.path, self.entries[index], limit)
        try:
            return weights_in_file(content, original)
        except ValueError as error:
            raise SubmissionError(f"{where}: {error}.") from error


def find(path: Path, models: int, original: Mapping[str, Tensor]) -> Checkpoints:
    """The checkpoints in a zip or a folder, if they are by name, number and size what they have to be.

    Args:
        path: a zip whose entries all lie in one folder of it, or a folder.
        models: how many there have to be.
        original: the weights of the task's original model.

    Raises:
        InputError: there is no such file, or it is neither.
        SubmissionError: what is in it is not exactly ``unlearned_checkpoint_0.pth`` and so on.
    """
    try:
        if path.is_dir():
            entries = _in_folder(path, models, largest(original))
        elif path.is_file():
            entries = _in_zip(path, models, largest(original))
        else:
            raise InputError(
                f"There are no checkpoints at {path}. Expected a submission.zip or a folder of .pth files."
            )
        return Checkpoints(path, entries, _digest(path, entries))
    except OSError as error:
        raise MachineError(f"Cannot read {error.filename or path}: {error.strerror or error}.") from error


def largest(original: Mapping[str, Tensor]) -> int:
    """The most bytes that an honest checkpoint of these weights has, in single precision."""
    return sum(value.numel() * max(value.element_size(), 4) for value in original.values()) + OVERHEAD


def _in_zip(path: Path, models: int, limit: int) -> tuple[str, ...]:
    """The entries of a zip by number. They are only listed."""
    try:
        with zipfile.ZipFile(path) as archive:
            listed = archive.infolist()
    except (zipfile.BadZipFile, NotImplementedError, UnicodeDecodeError) as error:
        raise SubmissionError(f"{path} is no zip: {error}. Expected the submission.zip of a run.") from error
    _check_count(path, [entry.filename for entry in listed], models)
    for entry in listed:
        reason = _what_is_wrong(entry, limit)
        if reason:
            raise SubmissionError(f"{path}, {entry.filename!r}: {reason}.")
    folders = {str(PurePosixPath(entry.filename).parent) for entry in listed}
    if len(folders) > 1:
        raise SubmissionError(f"{path}: expected all files in one folder of the zip, found {sorted(folders)[:3]}.")
    return _by_number(path, [entry.filename for entry in listed])


def _what_is_wrong(entry: zipfile.ZipInfo, limit: int) -> str | None:
    """Why an entry must not be read, if it must not."""
    parts = entry.filename.split("/")
    if entry.filename.startswith("/") or ".." in parts or "\\" in entry.filename or ":" in entry.filename:
        return "its path leads out of the zip"
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if stat.S_ISLNK(kind):
        return "it is a symbolic link"
    if entry.is_dir() or kind not in (0, stat.S_IFREG):
        return "it is no plain file"
    if entry.flag_bits & 1:
        return "it is encrypted"
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return "it is compressed in a way other than deflate"
    if entry.file_size > limit:
        return f"it inflates to {entry.file_size} bytes, and a checkpoint of this task has at most {limit}"
    if entry.file_size > MAX_RATIO * max(entry.compress_size, 1):
        return (
            f"it inflates {entry.file_size // max(entry.compress_size, 1)}-fold, and weights at most {MAX_RATIO}-fold"
        )
    return None


def _in_folder(path: Path, models: int, limit: int) -> tuple[str, ...]:
    """The files of a folder by number."""
    with os.scandir(path) as listed:
        found = {entry.name: entry.stat(follow_symlinks=False) for entry in listed}
    _check_count(path, list(found), models)
    for name, status in found.items():
        if stat.S_ISLNK(status.st_mode):
            raise SubmissionError(f"{path}, {name!r}: it is a symbolic link.")
        if not stat.S_ISREG(status.st_mode):
            raise SubmissionError(f"{path}, {name!r}: it is no plain file.")
        if status.st_size > limit:
            raise SubmissionError(
                f"{path}, {name!r}: it has {status.st_size} bytes, and a checkpoint of this task has at most {limit}."
            )
    return _by_number(path, list(found))


def _check_count(path: Path, names: list[str], models: int) -> None:
    if len(names) == models:
        return
    there = {name.rsplit("/", 1)[-1] for name in names}
    missing = next((index for index in range(models) if f"unlearned_checkpoint_{index}.pth" not in there), None)
    hint = "" if missing is None else f"; the first that is missing is unlearned_checkpoint_{missing}.pth"
    raise SubmissionError(
        f"{path}: expected exactly {models} files, unlearned_checkpoint_0.pth to _{models - 1}.pth, found "
        f"{len(names)}{hint}. MODELS= says how many there should be."
    )


def _by_number(path: Path, names: list[str]) -> tuple[str, ...]:
    """As many names as models, put in order."""
    for name, count in Counter(name.rsplit("/", 1)[-1] for name in names).items():
        if count > 1:
            raise SubmissionError(f"{path}, {name!r}: it is there {count} times.")
    found: dict[int, str] = {}
    for name in names:
        match = NAME.fullmatch(name.rsplit("/", 1)[-1])
        if not match or int(match[1]) >= len(names):
            raise SubmissionError(
                f"{path}, {name!r}: expected names from unlearned_checkpoint_0.pth to _{len(names) - 1}.pth."
            )
        found[int(match[1])] = name
    return tuple(found[index] for index in range(len(names)))


def _digest(path: Path, entries: tuple[str, ...]) -> str:
    """SHA-256 of the zip, or of the names and contents of a folder's files."""
    digest = hashlib.sha256()
    for file in [path / name for name in entries] if path.is_dir() else [path]:
        digest.update(f"{file.name} {file.stat().st_size} ".encode())
        with file.open("rb") as content:
            while block := content.read(BLOCK):
                digest.update(block)
    return digest.hexdigest()


def _read_entry(path: Path, name: str, limit: int) -> bytes:
    """The content of a zip's entry, inflated no further than ``limit``."""
    try:
        with zipfile.ZipFile(path) as archive, archive.open(name) as file:
            content = file.read(limit + 1)
            # The checksum is looked at when there is no more to read.
            content += file.read(1)
    except Exception as error:  # Whatever makes zipfile stumble over a hostile entry is that entry's fault.
        raise SubmissionError(f"{path}, {name}: it cannot be inflated: {error}.") from error
    if len(content) > limit:
        raise SubmissionError(f"{path}, {name}: it inflates to more than the {limit} bytes of a checkpoint.")
    return content


def _read_file(path: Path, limit: int) -> bytes:
    """The content of a file that was a plain one of at most ``limit`` bytes when it was listed, and still has to be."""
    try:
        with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
            content = file.read(limit + 1)
    except OSError as error:
        raise SubmissionError(f"{path}: it cannot be read: {error.strerror}.") from error
    if len(content) > limit:
        raise SubmissionError(f"{path}: it has more than the {limit} bytes of a checkpoint.")
    return content
