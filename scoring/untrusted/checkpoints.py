"""Checkpoints from elsewhere: a zip or a folder, read as if it were an attack.

Nothing is extracted, and no size that a file claims is trusted. The names of all files are known in advance, so
anything else is refused. `weights.py` is as strict about the content of each file.
"""

import hashlib
import os
import stat
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path, PurePosixPath

from torch import Tensor

from scoring.untrusted.checkpoint_names import by_number, check_count
from scoring.untrusted.names import LONGEST_NAME, quoted
from scoring.untrusted.weights import weights_in_file, weights_in_safetensors
from scoring.untrusted.zip_directory import opened, starts
from starter_kit.errors import InputError, MachineError, SubmissionError

MAX_RATIO = 200
"""The highest compression ratio accepted. Weights pruned to 1% stay below it; zeros reach a thousand."""

OVERHEAD = 1 << 20
"""Bytes that a checkpoint may have besides its weights: names, alignment, the structure of the zip."""

STRANGE_FILES = 10_000
"""Files beyond the expected number up to which they are counted. More are not even listed."""

BLOCK = 1 << 20


@dataclass(frozen=True)
class Checkpoints:
    """Models that were made elsewhere. Only the names and sizes of their files have been checked so far.

    Attributes:
        path: the zip or the folder.
        entries: the name of each model's file inside it, by model index.
        sha256: of the whole content, in hexadecimal.
    """

    path: Path
    entries: tuple[str, ...]
    sha256: str

    @property
    def name(self) -> str:
        """The zip's name without its ending, or the folder's."""
        return self.path.stem if self.path.is_file() else self.path.name

    def state(self, index: int, original: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The weights of model ``index``: integers keep their type, floating point numbers become float32.

        Args:
            index: in [0, models).
            original: weights with the expected names and shapes.

        Raises:
            SubmissionError: the file is refused; the message names it and gives the reason.
        """
        name = self.entries[index]
        limit = largest(original)
        if self.path.is_dir():
            content = _read_file(self.path / name, limit)
        else:
            content = _read_entry(self.path, name, len(self.entries), limit)
        read = weights_in_safetensors if name.endswith(".safetensors") else weights_in_file
        try:
            return read(content, original)
        except ValueError as error:
            raise SubmissionError(f"{self.path}, {name}: {error}.") from error


def find(path: Path, models: int, original: Mapping[str, Tensor]) -> Checkpoints:
    """The checkpoints in a zip or a folder, after checks of the names, number and sizes of the files.

    Args:
        path: a folder, or a zip with all its entries in one folder.
        models: the expected number of checkpoints.
        original: the weights of the task's original model.

    Raises:
        InputError: there is no such zip or folder.
        SubmissionError: the files are not exactly ``unlearned_checkpoint_0.pth`` to ``_{models - 1}.pth``, each of
            which may be a ``.safetensors`` instead, or one of them is a link, is too large, or is packed in an
            unexpected way.
        MachineError: this machine cannot read them.
    """
    try:
        if path.is_dir():
            entries = _in_folder(path, models, largest(original))
        elif path.is_file():
            entries = _in_zip(path, models, largest(original))
        else:
            raise InputError(
                f"There are no checkpoints at {path}. Expected a submission.zip, or a folder with .pth or .safetensors "
                "files."
            )
        return Checkpoints(path, entries, _digest(path, entries))
    except OSError as error:
        raise MachineError(f"Cannot read {error.filename or path}: {error.strerror or error}.") from error


def largest(original: Mapping[str, Tensor]) -> int:
    """The size in bytes of the largest honest checkpoint of these weights, which is in single precision."""
    return sum(value.numel() * max(value.element_size(), 4) for value in original.values()) + OVERHEAD


def _in_zip(path: Path, models: int, limit: int) -> tuple[str, ...]:
    """The entries of a zip by model index. The zip is only listed."""
    with path.open("rb") as file:
        try:
            listed = opened(file, models + STRANGE_FILES).infolist()
        except ValueError as error:
            raise SubmissionError(
                f"{path} cannot be read as a zip file ({error}). Expected the submission.zip of a run."
            ) from error
        check_count(path, [entry.filename for entry in listed], models)
        for entry in listed:
            reason = _reason_to_refuse(entry, limit)
            if reason:
                raise SubmissionError(f"{path}, {quoted(entry.orig_filename)}: {reason}.")
        try:
            starts(file, listed)
        except ValueError as error:
            raise SubmissionError(f"{path}: {error}. Expected a zip as one program writes it.") from error
    folders = {str(PurePosixPath(entry.filename).parent) for entry in listed}
    if len(folders) > 1:
        raise SubmissionError(
            f"{path}: expected all files in one folder of the zip, found {', '.join(map(quoted, sorted(folders)[:3]))}."
        )
    return by_number(path, [entry.filename for entry in listed])


def _reason_to_refuse(entry: zipfile.ZipInfo, limit: int) -> str | None:
    """Why an entry must not be read, or None if it may be."""
    # zipfile cuts a name at a NUL.
    if not entry.orig_filename.isprintable():
        return "its name contains unprintable characters"
    if len(entry.filename) > LONGEST_NAME:
        return f"its name has {len(entry.filename)} characters, and at most {LONGEST_NAME} are accepted"
    parts = entry.filename.split("/")
    if entry.filename.startswith("/") or ".." in parts or "\\" in entry.filename or ":" in entry.filename:
        return "its path leads out of the zip"
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if stat.S_ISLNK(kind):
        return "it is a symbolic link"
    if entry.is_dir() or kind not in (0, stat.S_IFREG):
        return "it is not a regular file"
    if entry.flag_bits & 1:
        return "it is encrypted"
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return "it is compressed by a method other than deflate"
    if entry.file_size > limit:
        return f"it inflates to {entry.file_size} bytes, and a checkpoint of this task has at most {limit}"
    if entry.compress_size > limit:
        return f"it takes {entry.compress_size} bytes of the zip, and a checkpoint of this task has at most {limit}"
    if entry.file_size > MAX_RATIO * max(entry.compress_size, 1):
        ratio = entry.file_size // max(entry.compress_size, 1)
        return f"it inflates {ratio}-fold, and weights inflate at most {MAX_RATIO}-fold"
    return None


def _in_folder(path: Path, models: int, limit: int) -> tuple[str, ...]:
    """The files of a folder by model index."""
    with os.scandir(path) as listed:
        first = islice(listed, models + STRANGE_FILES)
        found = {entry.name: entry.stat(follow_symlinks=False) for entry in first}
    check_count(path, list(found), models)
    for name, status in found.items():
        if stat.S_ISLNK(status.st_mode):
            raise SubmissionError(f"{path}, {quoted(name)}: it is a symbolic link.")
        if not stat.S_ISREG(status.st_mode):
            raise SubmissionError(f"{path}, {quoted(name)}: it is not a regular file.")
        if status.st_size > limit:
            raise SubmissionError(
                f"{path}, {quoted(name)}: it has {status.st_size} bytes, and a checkpoint of this task has at most "
                f"{limit}."
            )
    return by_number(path, list(found))


def _digest(path: Path, entries: tuple[str, ...]) -> str:
    """SHA-256 of the zip, or of the names and contents of a folder's files."""
    digest = hashlib.sha256()
    for file in [path / name for name in entries] if path.is_dir() else [path]:
        digest.update(f"{file.name} {file.stat().st_size} ".encode())
        with file.open("rb") as content:
            while block := content.read(BLOCK):
                digest.update(block)
    return digest.hexdigest()


def _read_entry(path: Path, name: str, models: int, limit: int) -> bytes:
    """The content of an entry of a zip, which has one for each model. Inflation stops at ``limit`` bytes."""
    try:
        with path.open("rb") as file, opened(file, models).open(name) as entry:
            content = entry.read(limit + 1)
            # zipfile verifies the checksum once it reaches the end of the entry.
            content += entry.read(1)
    except Exception as error:  # A hostile entry can make zipfile raise anything; it is the entry's fault.
        raise SubmissionError(f"{path}, {name}: it cannot be inflated: {quoted(str(error))}.") from error
    if len(content) > limit:
        raise SubmissionError(f"{path}, {name}: it inflates to more than the {limit} bytes of a checkpoint.")
    return content


def _read_file(path: Path, limit: int) -> bytes:
    """The content of a file. When listed it was a regular one of at most ``limit`` bytes; it may have changed since."""
    # A link that took its place is not followed, and a pipe does not block. Windows has neither flag.
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    try:
        with open(os.open(path, flags), "rb") as file:
            content = file.read(limit + 1)
    except OSError as error:
        raise SubmissionError(f"{path}: it cannot be read: {error.strerror}.") from error
    if len(content) > limit:
        raise SubmissionError(f"{path}: it has more than the {limit} bytes of a checkpoint.")
    return content
