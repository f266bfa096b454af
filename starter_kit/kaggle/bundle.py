"""``make bundle``: a folder with a submission's notebook and its metadata, ready for Kaggle."""

import json
from dataclasses import dataclass
from pathlib import Path

from starter_kit.contract import read_for_kaggle, warnings_of
from starter_kit.errors import KaggleError
from starter_kit.kaggle import notebook
from starter_kit.kaggle.naming import title_and_slug

COMPETITION = "neurips-2023-machine-unlearning"
BUNDLES = Path("out/bundles")
METADATA = "kernel-metadata.json"
OWNER_PLACEHOLDER = "YOUR-USERNAME"
"""The owner in the metadata until the upload, when Kaggle says whose token it is."""

# Kaggle's image is built for every GPU that it lends, but recent versions of torch no longer run on the older P100.
MACHINE = "NvidiaTeslaT4"


@dataclass(frozen=True)
class Bundle:
    """What goes to Kaggle.

    Attributes:
        folder: holds ``NAME.ipynb`` and ``kernel-metadata.json``.
        name: the submission's name.
        competition: the slug of the competition that the notebook is for.
        submission_sha256: of the submission's file; local reports hold the same digest.
        warnings: what may go wrong on Kaggle, one sentence each.
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
        """The file that says what the notebook needs on Kaggle."""
        return self.folder / METADATA


def bundle(
    submission: Path, competition: str = COMPETITION, half_precision: bool = True, folder: Path = BUNDLES
) -> Bundle:
    """Write the bundle of the submission at ``submission`` to ``folder/NAME``, replacing an earlier one.

    Args:
        submission: the submission's file.
        competition: the competition's slug.
        half_precision: whether the notebook saves checkpoints in half precision.
        folder: the folder of all bundles.

    Raises:
        SubmissionError: a static check of the file fails.
        KaggleError: Kaggle would reject an id made from the file's name, or the folder cannot be written.
    """
    source = read_for_kaggle(submission)
    name = submission.stem
    title, slug = title_and_slug(name)
    metadata = {
        "id": f"{OWNER_PLACEHOLDER}/{slug}",
        "title": title,
        "code_file": f"{name}.ipynb",
        "language": "python",
        "kernel_type": "notebook",
        "is_private": True,
        "enable_gpu": True,
        "enable_tpu": False,
        # Kaggle's client turns the internet on by default, and a notebook with internet cannot be submitted.
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
        raise KaggleError(
            f"Cannot write {error.filename}: {error.strerror}. Free some space, or make the folder writable."
        ) from error
    return _bundle_in(folder / name, submission, source)


def current(submission: Path, competition: str | None = None, folder: Path = BUNDLES) -> Bundle:
    """The bundle of the submission's file as it is now: the existing one if it is up to date, otherwise a new one.

    A new bundle keeps the existing one's precision, and its competition unless ``competition`` names another.

    Raises:
        SubmissionError: a static check of the file fails.
        KaggleError: as for ``bundle``, or the existing notebook was edited by hand.
    """
    path = folder / submission.stem / f"{submission.stem}.ipynb"
    if not path.exists():
        return bundle(submission, competition or COMPETITION, folder=folder)
    record = notebook.record_of(path)
    wanted = competition or str(record["competition"])
    half_precision = bool(record["half_precision"])
    source = read_for_kaggle(submission)
    text = notebook.build(submission.stem, source, wanted, half_precision)
    if text == path.read_text(encoding="utf-8") and (path.parent / METADATA).exists():
        return _bundle_in(path.parent, submission, source)
    return bundle(submission, wanted, half_precision, folder)


def _bundle_in(folder: Path, submission: Path, source: str) -> Bundle:
    """The bundle that was written to a folder."""
    record = notebook.record_of(folder / f"{submission.stem}.ipynb")
    return Bundle(
        folder=folder,
        name=submission.stem,
        competition=str(record["competition"]),
        submission_sha256=str(record["submission_sha256"]),
        warnings=tuple(f"{submission}, {warning}" for warning in warnings_of(source)),
    )
