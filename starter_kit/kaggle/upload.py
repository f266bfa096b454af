"""``make upload``: push a bundle, wait for its run, submit it, wait for the score."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from starter_kit.errors import KaggleError
from starter_kit.kaggle import notebook
from starter_kit.kaggle.bundle import OWNER_PLACEHOLDER, Bundle
from starter_kit.kaggle.client import NoAnswerError, Patience, RefusedError, call_patiently, kaggle_error
from starter_kit.kaggle.failures import explain, last_lines, manual_steps
from starter_kit.kaggle.naming import check_id

if TYPE_CHECKING:
    from kaggle.api.kaggle_api_extended import KaggleApi

Show = Callable[[str], None]
"""Receives a line with the current state whenever it is looked at."""


@dataclass(frozen=True)
class Pace:
    """How often to ask Kaggle for news.

    Attributes:
        seconds: between two requests.
        sleep: waits for a number of seconds.
        now: the time, in seconds.
    """

    seconds: float = 30.0
    sleep: Callable[[float], None] = time.sleep
    now: Callable[[], float] = time.monotonic


@dataclass(frozen=True)
class Pushed:
    """A version of a notebook on Kaggle."""

    owner: str
    slug: str
    version: int
    url: str


@dataclass(frozen=True)
class Scored:
    """A submission's number on Kaggle, and its scores as Kaggle's text."""

    ref: int
    public: str
    private: str


@dataclass(frozen=True)
class Uploader:
    """Takes a bundle to its score.

    Attributes:
        api: Kaggle's client, signed in.
        patience: how long to keep trying when Kaggle does not answer.
        pace: how often to ask for news.
        show: shows the current state.
    """

    api: "KaggleApi"
    patience: Patience
    pace: Pace
    show: Show

    def upload(self, bundle: Bundle) -> Scored:
        """Push, wait for the run, submit, wait for the score.

        Raises:
            KaggleError: the notebook was edited by hand, Kaggle refused a step, or the run failed.
        """
        self.check_limits(bundle)
        pushed = self.push(bundle)
        self.wait_for_run(bundle, pushed)
        return self.wait_for_score(bundle, self.submit(bundle, pushed))

    def check_limits(self, bundle: Bundle) -> None:
        """Raise ``KaggleError`` if no submission is left today, before any GPU time is spent."""
        limits = self._call(bundle, lambda: self.api.competition_get_submission_limits(bundle.competition))
        # Before the first submission of an account, all these numbers are 0.
        if limits.num_today and not limits.num_allowed_now:
            raise KaggleError(
                f"You have used all of today's submissions: {limits.num_today}. Wait until midnight UTC, then upload "
                "again."
            )

    def push(self, bundle: Bundle) -> Pushed:
        """Send the notebook to Kaggle, which starts to run it."""
        notebook.record_of(bundle.notebook)
        owner, slug = self._set_owner(bundle)
        # Retried after a lost answer, this may leave an extra version of the notebook. The newest one counts.
        answer = self._call(bundle, lambda: self.api.kernels_push(str(bundle.folder)))
        if answer.error:
            raise KaggleError(explain(answer.error, bundle.competition, "Correct this, then upload again."))
        if answer.invalid_competition_sources:
            raise KaggleError(
                f"Kaggle did not attach the data of {', '.join(answer.invalid_competition_sources)}: there is no such "
                "competition, or you have not accepted its rules. Accept them at "
                f"https://www.kaggle.com/competitions/{bundle.competition}/rules, then upload again."
            )
        url = answer.url or f"https://www.kaggle.com/code/{owner}/{slug}"
        self.show(f"pushed version {answer.version_number} of {url}")
        return Pushed(owner, slug, answer.version_number or 0, url)

    def wait_for_run(self, bundle: Bundle, pushed: Pushed) -> None:
        """Wait until the run that saves the notebook has finished; raise ``KaggleError`` if it failed."""
        name = f"{pushed.owner}/{pushed.slug}"
        began = self.pace.now()
        while True:
            answer = self._call(bundle, lambda: self.api.kernels_status(name))
            status = answer.status.name
            self.show(f"notebook run: {status.lower().replace('_', ' ')}, {self._elapsed_since(began)}")
            if status == "COMPLETE":
                return
            if status in ("ERROR", "CANCEL_REQUESTED", "CANCEL_ACKNOWLEDGED"):
                raise KaggleError(self._explain_failed_run(bundle, pushed, status, answer.failure_message or ""))
            self.pace.sleep(self.pace.seconds)

    def submit(self, bundle: Bundle, pushed: Pushed) -> int:
        """Submit the run's submission.zip, and return the submission's number."""
        description = f"{bundle.name} {bundle.submission_sha256[:12]}, version {pushed.version}"
        steps = manual_steps(bundle.competition, pushed.url)

        def find() -> int | None:
            listed = self.api.competition_submissions(bundle.competition) or []
            return next((one.ref for one in listed if one and one.description == description), None)

        def send() -> int:
            answer = self.api.competition_submit_code(
                file_name="submission.zip",
                message=description,
                competition=bundle.competition,
                kernel=f"{pushed.owner}/{pushed.slug}",
                kernel_version=pushed.version,
                quiet=True,
            )
            if not answer.ref:
                raise RefusedError(answer.message or "no reason given", 400)
            return answer.ref

        ref = self._call(bundle, send, steps, find)
        self.show(f"submitted as number {ref}")
        return ref

    def wait_for_score(self, bundle: Bundle, ref: int) -> Scored:
        """Wait until Kaggle has scored a submission, which takes hours."""
        began = self.pace.now()
        while True:
            listed = self._call(bundle, lambda: self.api.competition_submissions(bundle.competition)) or []
            one = next((one for one in listed if one and one.ref == ref), None)
            status = one.status.name if one else "PENDING"
            self.show(f"submission {ref}: {status.lower()}, {self._elapsed_since(began)}")
            if one and status == "COMPLETE":
                return Scored(ref, one.public_score or "", one.private_score or "")
            if one and status == "ERROR":
                raise KaggleError(
                    f"Kaggle could not score submission {ref}: {one.error_description or 'no reason given'}. It ran "
                    "the notebook again on hidden data and does not show that log. make rehearse reveals most faults; "
                    "it cannot reveal Kaggle's limits of time (8 h) and memory."
                )
            self.pace.sleep(self.pace.seconds)

    def _set_owner(self, bundle: Bundle) -> tuple[str, str]:
        """Put your username into the metadata unless one is there; return the owner and the slug."""
        owner, slug = check_id(bundle.metadata)
        if owner == OWNER_PLACEHOLDER:
            metadata = json.loads(bundle.metadata.read_text(encoding="utf-8"))
            owner = self.api.get_config_value(self.api.CONFIG_NAME_USER) or ""
            metadata["id"] = f"{owner}/{slug}"
            bundle.metadata.write_text(json.dumps(metadata, indent=2) + "\n", encoding="utf-8")
        return check_id(bundle.metadata)

    def _call(
        self,
        bundle: Bundle,
        call: Callable[[], Any],
        advice: str = "Try again later.",
        find: Callable[[], Any] | None = None,
    ) -> Any:
        """The result of a call, as for `call_patiently`; raise ``KaggleError`` if it fails."""
        try:
            return call_patiently(self.patience, call, find)
        except (RefusedError, NoAnswerError) as error:
            raise kaggle_error(error, bundle.competition, advice) from error

    def _explain_failed_run(self, bundle: Bundle, pushed: Pushed, status: str, message: str) -> str:
        """Why a run failed, with the end of its log; the whole log is saved beside the notebook."""
        what = "failed" if status == "ERROR" else "was cancelled"
        log = self._call(bundle, lambda: self.api.kernels_logs(f"{pushed.owner}/{pushed.slug}"))
        saved = bundle.folder / "kaggle.log"
        saved.write_text(log, encoding="utf-8")
        reason = f" {explain(message, bundle.competition, '')}" if message else ""
        return (
            f"The notebook run {what}.{reason}\nIts log ends:\n{last_lines(log)}\nThe whole log: {saved}, {pushed.url}"
        )

    def _elapsed_since(self, began: float) -> str:
        seconds = round(self.pace.now() - began)
        hours, minutes = seconds // 3600, seconds % 3600 // 60
        return f"{hours} h {minutes} min" if hours else f"{minutes} min {seconds % 60} s"
