"""Past submissions: Kaggle's scores, with the local ones beside them."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from starter_kit.kaggle.client import LostError, Patience, RefusedError, ask, told

if TYPE_CHECKING:
    from kaggle.api.kaggle_api_extended import KaggleApi

REPORTS = Path("out/reports")


@dataclass(frozen=True)
class Local:
    """A score that was computed here. Attributes: task, number of models, score, the ceiling's score."""

    task: str
    models: int
    score: float
    ceiling: float

    def __str__(self) -> str:
        return f"{self.score:.4f} (ceiling {self.ceiling:.4f}) on {self.task}, {self.models} models"


@dataclass(frozen=True)
class Past:
    """A submission that Kaggle knows: number, day, what was said of it, status, scores as text, and those of here."""

    ref: int
    date: str
    description: str
    status: str
    public: str
    private: str
    local: tuple[Local, ...]


def local_scores(sha256: str, folder: Path = REPORTS) -> tuple[Local, ...]:
    """The scores of reports on a submission of which the SHA-256 begins like this."""
    return tuple(local for found, local in _reports(folder) if sha256 and found.startswith(sha256))


def _reports(folder: Path) -> Iterator[tuple[str, Local]]:
    """The submission's SHA-256 and the score of each report; a file that is no report is passed over."""
    for path in sorted(folder.glob("**/report.json")):
        try:
            report = json.loads(path.read_text(encoding="utf-8"))
            numbers = float(report["score"]), float(report["ceiling"]["score"])
            yield report["submission"]["sha256"], Local(report["task"]["name"], report["models"], *numbers)
        except (ValueError, KeyError, TypeError):
            continue


def past_submissions(api: "KaggleApi", competition: str, patience: Patience, folder: Path = REPORTS) -> list[Past]:
    """What was submitted to a competition, newest first.

    Raises:
        KaggleError: Kaggle refuses, or cannot be reached.
    """
    try:
        listed = ask(patience, lambda: api.competition_submissions(competition)) or []
    except (RefusedError, LostError) as error:
        page = f"https://www.kaggle.com/competitions/{competition}/submissions"
        raise told(error, competition, f"Is {competition} the competition's name? See {page}.") from error
    return [
        Past(
            ref=one.ref,
            date=f"{one.date:%Y-%m-%d}" if one.date else "",
            description=one.description or "",
            status=one.status.name.lower(),
            public=one.public_score or "",
            private=one.private_score or "",
            local=local_scores(_sha256_in(one.description or ""), folder),
        )
        for one in listed
        if one
    ]


def _sha256_in(description: str) -> str:
    """What an upload put into the description: NAME SHA256, version N."""
    words = description.split(",")[0].split()
    return words[1] if len(words) == 2 else ""
