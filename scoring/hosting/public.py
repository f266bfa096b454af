"""What participants get of a competition: the examples but for the test set, the original model, and the kit."""

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import safetensors.torch

from scoring.hosting.plan import Competition
from scoring.hosting.texts import Kind, page
from starter_kit.errors import InputError
from starter_kit.examples import Examples
from starter_kit.new import TEMPLATE

KIT = Path(__file__).resolve().parents[2]
PACKAGES = ("scoring", "starter_kit")
FILES = ("Makefile", "README.md", "LICENSE", "CITATION.cff", "pyproject.toml", "constraints.txt")
FOLDERS = ("submissions", "tests", ".github")
"""What of the kit participants get, besides its packages."""

SETS = ("retain", "forget", "validation")
ORIGINAL = "original.safetensors"
COLUMNS = ("inputs", "targets", "image_id", "person_id")
"""The names of `Examples.columns` in a file."""


def public_files(competition: Competition, kind: Kind) -> dict[str, bytes]:
    """The public part of the task by name: an ``.npz`` per set, the original's weights, and a README."""
    task = competition.task
    found = {}
    for name, examples in task.sets.items():
        if name in SETS:
            given = task.forget_as_given if name == "forget" else examples
            found[f"{name}.npz"] = arrays(given)
    weights = {name: value.contiguous() for name, value in competition.bank.original.weights.items()}
    return found | {ORIGINAL: safetensors.torch.save(weights), "README.md": page("data.md", competition, kind).encode()}


def arrays(examples: Examples) -> bytes:
    """A set of examples as an ``.npz``."""
    buffer = io.BytesIO()
    columns = {name: column.cpu().numpy() for name, column in zip(COLUMNS, examples.columns, strict=True)}
    np.savez_compressed(buffer, **columns)  # type: ignore[arg-type]
    return buffer.getvalue()


def starting_kit(competition: Competition) -> dict[str, bytes]:
    """The files that participants start from, by name: the kit, and what to do with it.

    Raises:
        InputError: the kit is installed without its Makefile and submissions.
    """
    wanted = (*FILES, *FOLDERS)
    missing = [name for name in wanted if not (KIT / name).exists()]
    if missing:
        raise InputError(
            f"Participants get a copy of the kit, but {missing[0]} is not in {KIT}. Run this in a git clone of the kit."
        )
    found = {"COMPETITION.md": page("starting_kit.md", competition, "codabench").encode()}
    for name in (*wanted, *PACKAGES):
        found |= files_below(KIT / name, name)
    return found | {"submissions/mine.py": TEMPLATE.read_bytes()}


def files_below(place: Path, name: str) -> dict[str, bytes]:
    """A file, or all files below a folder, by the names that they get in an archive."""
    if place.is_file():
        return {name: place.read_bytes()}
    return {
        f"{name}/{path.relative_to(place).as_posix()}": path.read_bytes()
        for path in sorted(place.rglob("*"))
        if path.is_file() and not {"__pycache__", ".ipynb_checkpoints"} & set(path.parts)
    }


def zipped(files: Mapping[str, bytes]) -> bytes:
    """A zip of files. Equal files give equal bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, content)
    return buffer.getvalue()
