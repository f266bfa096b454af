"""``make upload``: push a bundle, wait for its run, submit it, wait for the score."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from starter_kit.kaggle import notebook
from starter_kit.kaggle.bundle import OWNER, Bundle
from starter_kit.kaggle.checks import check_id
from starter_kit.kaggle.client import LostError, Patience, RefusedError, ask, told
from starter_kit.kaggle.errors import KaggleError
from starter_kit.kaggle.failures import explain, last_lines, steps_by_hand

if TYPE_CHECKING:
    from kaggle.api.kaggle_api_extended import KaggleApi

Show = Callable[[str], None]
"""Is told at each look how things stand."""


@dataclass(frozen=True)
class Pace:
    """How often to look. Attributes: seconds between two looks, what waits, what the time is."""

    seconds: float = 30.0
    sleep: Callable[[float], None] = time.sleep
    now: Callable[[], float] = time.monotonic


@dataclass(frozen=True)
class Pushed:
    """A version of a notebook that Kaggle has."""

    owner: str
    slug: str
    version: int
    url: str


@dataclass(frozen=True)
class Scored:
    """A submission with its scores, as Kaggle gives them: text."""

    ref: int
    public: str
    private: str


@dataclass(frozen=True)
class Uploader:
    """A connection to Kaggle with how long to wait on it and whom to tell."""

    api: "KaggleApi"
    patience: Patience
    pace: Pace
    show: Show

    def upload(self, bundle: Bundle) -> Scored:
        """All of it.

        Raises:
            KaggleError: the notebook was edited by hand, or Kaggle refused a step, or the run failed.
        """
        self.check_limits(bundle)
        pushed = self.push(bundle)
        self.wait_for_run(bundle, pushed)
        return self.wait_for_score(bundle, self.submit(bundle, pushed))

    def check_limits(self, bundle: Bundle) -> None:
        """Raise ``KaggleError`` if no submission is left today, before a GPU is used."""
        limits = self._ask(bundle, lambda: self.api.competition_get_submission_limits(bundle.competition))
        # For someone who never submitted all numbers are 0.
        if limits.num_today and not limits.num_allowed_now:
            raise KaggleError(
                f"The day's submissions are used up: {limits.num_today} were made today. Wait until midnight UTC, "
                "then upload again."
            )

    def push(self, bundle: Bundle) -> Pushed:
        """Send the notebook to Kaggle, which begins to run it."""
        notebook.record_of(bundle.notebook)
        owner, slug = self._own(bundle)
        # Pushed twice, a notebook has a version more, and the newest is what counts.
        answer = self._ask(bundle, lambda: self.api.kernels_push(str(bundle.folder)))
        if answer.error:
            raise KaggleError(explain(answer.error, bundle.competition, "Correct that, then upload again."))
        if answer.invalid_competition_sources:
            raise KaggleError(
                f"Kaggle did not give the notebook the data of {', '.join(answer.invalid_competition_sources)}: there "
                "is no such competition, or its rules are not accepted yet. Accept them at "
                f"https://www.kaggle.com/competitions/{bundle.competition}/rules, then upload again."
            )
        url = answer.url or f"https://www.kaggle.com/code/{owner}/{slug}"
        self.show(f"pushed version {answer.version_number} of {url}")
        return Pushed(owner, slug, answer.version_number or 0, url)

    def wait_for_run(self, bundle: Bundle, pushed: Pushed) -> None:
        """Wait until the run that saves the notebook is over; raise ``KaggleError`` if it failed."""
        name = f"{pushed.owner}/{pushed.slug}"
        began = self.pace.now()
        while True:
            answer = self._ask(bundle, lambda: self.api.kernels_status(name))
            status = answer.status.name
            self.show(f"the notebook's run: {status.lower().replace('_', ' ')}, {self._since(began)}")
            if status == "COMPLETE":
                return
            if status in ("ERROR", "CANCEL_REQUESTED", "CANCEL_ACKNOWLEDGED"):
                raise KaggleError(self._why(bundle, pushed, status, answer.failure_message or ""))
            self.pace.sleep(self.pace.seconds)

    def submit(self, bundle: Bundle, pushed: Pushed) -> int:
        """Hand the run's submission.zip in; gives the submission's number."""
        said = f"{bundle.name} {bundle.submission_sha256[:12]}, version {pushed.version}"
        by_hand = steps_by_hand(bundle.competition, pushed.url)

        def look() -> int | None:
            listed = self.api.competition_submissions(bundle.competition) or []
            return next((one.ref for one in listed if one and one.description == said), None)

        def send() -> int:
            answer = self.api.competition_submit_code(
                file_name="submission.zip",
                message=said,
                competition=bundle.competition,
                kernel=f"{pushed.owner}/{pushed.slug}",
                kernel_version=pushed.version,
                quiet=True,
            )
            if not answer.ref:
                raise RefusedError(answer.message or "no reason given", 400)
            return answer.ref

        ref = self._ask(bundle, send, by_hand, look)
        self.show(f"submitted as number {ref}")
        return ref

    def wait_for_score(self, bundle: Bundle, ref: int) -> Scored:
        """Wait until Kaggle has judged a submission, which takes hours."""
        began = self.pace.now()
        while True:
            listed = self._ask(bundle, lambda: self.api.competition_submissions(bundle.competition)) or []
            one = next((one for one in listed if one and one.ref == ref), None)
            status = one.status.name if one else "PENDING"
            self.show(f"submission {ref}: {status.lower()}, {self._since(began)}")
            if one and status == "COMPLETE":
                return Scored(ref, one.public_score or "", one.private_score or "")
            if one and status == "ERROR":
                raise KaggleError(
                    f"Kaggle could not score submission {ref}: {one.error_description or 'it gives no reason'}. It ran "
                    "the notebook anew on hidden data, whose log it does not show. Was it rehearsed? make rehearse "
                    "shows most faults; what is left is time (8 h) and memory."
                )
            self.pace.sleep(self.pace.seconds)

    def _own(self, bundle: Bundle) -> tuple[str, str]:
        """Put the person's own name into the metadata, unless one is there."""
        check_id(bundle.metadata)
        metadata = json.loads(bundle.metadata.read_text(encoding="utf-8"))
        owner, slug = metadata["id"].split("/")
        if owner == OWNER:
            owner = self.api.get_config_value(self.api.CONFIG_NAME_USER) or ""
            metadata["id"] = f"{owner}/{slug}"
            bundle.metadata.write_text(json.dumps(metadata, indent=2) + "\n", encoding="utf-8")
        return check_id(bundle.metadata)

    def _ask(
        self,
        bundle: Bundle,
        call: Callable[[], Any],
        by_hand: str = "Try again later.",
        look: Callable[[], Any] | None = None,
    ) -> Any:
        """What a call returns; what is refused becomes a sentence."""
        try:
            return ask(self.patience, call, look)
        except (RefusedError, LostError) as error:
            raise told(error, bundle.competition, by_hand) from error

    def _why(self, bundle: Bundle, pushed: Pushed, status: str, said: str) -> str:
        """Why a run failed, with the end of its log, which is kept beside the notebook."""
        what = "failed" if status == "ERROR" else "was cancelled"
        log = self._ask(bundle, lambda: self.api.kernels_logs(f"{pushed.owner}/{pushed.slug}"))
        (bundle.folder / "kaggle.log").write_text(log, encoding="utf-8")
        found = explain(said, bundle.competition, "") if said else ""
        return f"The notebook's run {what}. {found}\nIts log ends:\n{last_lines(log)}\nAll of it: {pushed.url}"

    def _since(self, began: float) -> str:
        seconds = round(self.pace.now() - began)
        hours, minutes = seconds // 3600, seconds % 3600 // 60
        return f"{hours} h {minutes} min" if hours else f"{minutes} min {seconds % 60} s"
