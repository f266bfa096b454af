"""``make bundle``: a folder with a submission's notebook and its metadata, ready for Kaggle."""

import json
from dataclasses import dataclass
from pathlib import Path

from starter_kit.kaggle import notebook
from starter_kit.kaggle.checks import check, read, title_and_slug, warnings_of
from starter_kit.kaggle.errors import KaggleError

COMPETITION = "neurips-2023-machine-unlearning"
BUNDLES = Path("out/bundles")
METADATA = "kernel-metadata.json"
OWNER = "YOUR-USERNAME"
"""Stands for the owner of a notebook until it is uploaded, when Kaggle says who that is."""

# All GPUs that Kaggle lends are built into it; newer versions of torch no longer run on the older P100.
MACHINE = "NvidiaTeslaT4"


@dataclass(frozen=True)
class Bundle:
    """What goes to Kaggle.

    Attributes:
        folder: where it lies: ``NAME.ipynb`` and ``kernel-metadata.json``.
        name: of the submission.
        competition: the slug of the competition that it was made for.
        submission_sha256: of the submission's file, which local reports have too.
        warnings: what may go wrong on Kaggle, a sentence each.
    """

    folder: Path
    name: str
    competition: str
    submission_sha256: str
    warnings: tuple[str, ...]

    @property
    def notebook(self) -> Path:
        """The notebook's file."""
        return self.folder / f"{self.name}.ipynb"

    @property
    def metadata(self) -> Path:
        """The file that tells Kaggle what the notebook needs."""
        return self.folder / METADATA


def bundle(
    submission: Path, competition: str = COMPETITION, half_precision: bool = True, folder: Path = BUNDLES
) -> Bundle:
    """Write the bundle of the submission at ``submission`` to ``folder/NAME``, over the one that is there.

    Raises:
        KaggleError: the file cannot be read, is no Python, has no ``unlearning``, imports what a lone file cannot, or
            has a name of which Kaggle makes no id.
    """
    source = read(submission)
    check(submission, source)
    name = submission.stem
    title, slug = title_and_slug(name)
    metadata = {
        "id": f"{OWNER}/{slug}",
        "title": title,
        "code_file": f"{name}.ipynb",
        "language": "python",
        "kernel_type": "notebook",
        "is_private": True,
        "enable_gpu": True,
        "enable_tpu": False,
        # Kaggle's own client would choose the internet, with which a notebook cannot be submitted.
        "enable_internet": False,
        "machine_shape": MACHINE,
        "dataset_sources": [],
        "competition_sources": [competition],
        "kernel_sources": [],
        "model_sources": [],
    }
    text = notebook.build(name, source, competition, half_precision)
    try:
        (folder / name).mkdir(parents=True, exist_ok=True)
        (folder / name / f"{name}.ipynb").write_text(text, encoding="utf-8")
        (folder / name / METADATA).write_text(json.dumps(metadata, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise KaggleError(f"Cannot write {error.filename}: {error.strerror}. Make room there.") from error
    return _as_it_is(submission, source, folder / name)


def current(submission: Path, competition: str | None = None, folder: Path = BUNDLES) -> Bundle:
    """The bundle of the submission as its file is now: the one that is there, or a new one.

    Raises:
        KaggleError: as ``bundle``, or the notebook that is there was edited by hand.
    """
    path = folder / submission.stem / f"{submission.stem}.ipynb"
    if not path.exists():
        return bundle(submission, competition or COMPETITION, folder=folder)
    there = notebook.record_of(path)
    wanted = competition or str(there["competition"])
    source = read(submission)
    made = notebook.build(submission.stem, source, wanted, bool(there["half_precision"]))
    if made == path.read_text(encoding="utf-8") and (path.parent / METADATA).exists():
        return _as_it_is(submission, source, path.parent)
    return bundle(submission, wanted, bool(there["half_precision"]), folder)


def _as_it_is(submission: Path, source: str, folder: Path) -> Bundle:
    """The bundle in a folder."""
    record = notebook.record_of(folder / f"{submission.stem}.ipynb")
    return Bundle(
        folder=folder,
        name=submission.stem,
        competition=str(record["competition"]),
        submission_sha256=str(record["submission_sha256"]),
        warnings=tuple(f"{submission}, {warning}" for warning in warnings_of(source)),
    )
