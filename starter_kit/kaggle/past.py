"""Past submissions: Kaggle's scores with the local scores beside them."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from starter_kit.kaggle.client import NoAnswerError, Patience, RefusedError, call_patiently, kaggle_error

if TYPE_CHECKING:
    from kaggle.api.kaggle_api_extended import KaggleApi


@dataclass(frozen=True)
class LocalScore:
    """A score from a local report.

    Attributes:
        task: the task's name.
        models: the number of models per pool.
        score: the submission's score.
        ceiling: the score of retrained models.
    """

    task: str
    models: int
    score: float
    ceiling: float

    def __str__(self) -> str:
        return f"{self.score:.4f} (ceiling {self.ceiling:.4f}) on {self.task}, {self.models} models"


@dataclass(frozen=True)
class PastSubmission:
    """A submission that Kaggle lists.

    Attributes:
        ref: Kaggle's number for it.
        date: its day, as YYYY-MM-DD, or empty.
        description: the text that was sent with it.
        status: such as pending, complete or error.
        public: the public score as Kaggle's text, or empty.
        private: the private score, likewise.
        local: the scores of the same file in local reports.
    """

    ref: int
    date: str
    description: str
    status: str
    public: str
    private: str
    local: tuple[LocalScore, ...]


def local_scores(sha256: str, folder: Path) -> tuple[LocalScore, ...]:
    """The scores in all reports on a submission whose SHA-256 begins with ``sha256``."""
    return tuple(local for found, local in _reports(folder) if sha256 and found.startswith(sha256))


def _reports(folder: Path) -> Iterator[tuple[str, LocalScore]]:
    """The submission's SHA-256 and the score of each report. Files that are no such report are skipped."""
    for path in sorted(folder.glob("**/report.json")):
        try:
            report = json.loads(path.read_text(encoding="utf-8"))
            local = LocalScore(
                task=report["task"]["name"],
                models=report["run"]["models"],
                score=float(report["unlearned"]["score"]["value"]),
                ceiling=float(report["ceiling"]["value"]),
            )
            yield report["submission"]["sha256"], local
        except (ValueError, KeyError, TypeError):
            continue


def past_submissions(api: "KaggleApi", competition: str, patience: Patience, folder: Path) -> list[PastSubmission]:
    """Your submissions to a competition, newest first.

    Raises:
        KaggleError: Kaggle refuses or cannot be reached.
    """
    try:
        listed = call_patiently(patience, lambda: api.competition_submissions(competition)) or []
    except (RefusedError, NoAnswerError) as error:
        page = f"https://www.kaggle.com/competitions/{competition}/submissions"
        advice = f"Check that {competition} is the competition's name: {page}."
        raise kaggle_error(error, competition, advice) from error
    return [
        PastSubmission(
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
    """The digits of the SHA-256 in an upload's description, ``NAME SHA256, version N``; empty for other texts."""
    words = description.split(",")[0].split()
    return words[1] if len(words) == 2 else ""
