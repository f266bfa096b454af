"""Kaggle's own client, made patient and quiet: it retries, ends with a clear error, and shows no credentials."""

import contextlib
import io
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import requests
from requests.adapters import HTTPAdapter

from starter_kit.errors import KaggleError
from starter_kit.kaggle.failures import NO_TOKEN, WRONG_TOKEN, explain

if TYPE_CHECKING:
    from kaggle.api.kaggle_api_extended import KaggleApi

T = TypeVar("T")
TIMEOUT = 120.0
"""Seconds to wait for an answer on an open connection."""

VERBOSE_VARIABLES = ("VERBOSE", "VERBOSE_OUTPUT")
"""With these variables set, Kaggle's client prints its requests, token included."""


@dataclass(frozen=True)
class Patience:
    """How long to keep trying when Kaggle does not answer or asks for a pause.

    Attributes:
        attempts: the largest number of attempts per call.
        first_wait: seconds before the second attempt; each wait is twice the one before.
        longest_wait: the longest wait, in seconds.
        sleep: waits for a number of seconds.
    """

    attempts: int = 7
    first_wait: float = 2.0
    longest_wait: float = 120.0
    sleep: Callable[[float], None] = time.sleep

    def wait(self, attempt: int, requested: str | None = None) -> None:
        """Wait after attempt number ``attempt``, counted from 0; a number of seconds that Kaggle requested wins."""
        seconds = self.first_wait * 2**attempt
        if requested and requested.isdigit():
            seconds = float(requested)
        self.sleep(min(seconds, self.longest_wait))


class NoAnswerError(Exception):
    """The connection broke, so it is unknown whether Kaggle carried out the call."""


class RefusedError(Exception):
    """Kaggle answered and refused. The message is Kaggle's own; ``status`` is the HTTP status."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


def connect(patience: Patience) -> "KaggleApi":
    """Kaggle's client, signed in.

    Raises:
        KaggleError: there is no token, Kaggle rejects it, or Kaggle cannot be reached.
    """
    with _quiet():
        # Importing it signs in, and prints rather than raises if that fails.
        from kaggle.api.kaggle_api_extended import KaggleApi

    class QuietApi(KaggleApi):
        """Never shows its requests, and does not wait forever for an answer."""

        args: ClassVar[list[str]] = [argument for argument in KaggleApi.args if argument != "--verbose"]

        def build_kaggle_client(self) -> Any:
            client = super().build_kaggle_client()
            http = client.http_client()
            http._init_session()
            for scheme in ("https://", "http://"):
                http._session.mount(scheme, _TimeoutAdapter())
            return client

    api = QuietApi()

    def sign_in() -> None:
        with _quiet():
            api.authenticate()

    try:
        call_patiently(patience, sign_in)
    except SystemExit:
        # The client exits the program if it finds no token that Kaggle accepts.
        raise KaggleError(WRONG_TOKEN if _has_token() else NO_TOKEN) from None
    except RefusedError as error:
        raise KaggleError(WRONG_TOKEN if error.status in (401, 403) else f"Kaggle refused: {error}.") from error
    except NoAnswerError as error:
        raise KaggleError(f"Kaggle cannot be reached ({error}). Check your internet connection.") from error
    return api


def call_patiently(patience: Patience, call: Callable[[], T], find: Callable[[], T | None] | None = None) -> T:
    """Return the result of ``call``, retrying while Kaggle is busy or the connection breaks.

    Args:
        patience: how often to try and how long to wait.
        call: a call of Kaggle's client.
        find: for a call that must not be made twice: looks for the result of a call whose answer was lost.

    Raises:
        RefusedError: Kaggle refused.
        NoAnswerError: the last attempt got no answer.
    """
    for attempt in range(patience.attempts):
        last = attempt == patience.attempts - 1
        try:
            return call()
        except requests.exceptions.HTTPError as error:
            response = error.response
            status = response.status_code if response is not None else 0
            busy = status == 429 or status >= 500
            if not busy or last:
                raise RefusedError(_message_of(error), status) from error
            patience.wait(attempt, response.headers.get("Retry-After") if response is not None else None)
        except (requests.exceptions.RequestException, ConnectionError) as error:
            if last:
                raise NoAnswerError(type(error).__name__) from error
            patience.wait(attempt)
        except ValueError as error:
            # The client raises this for some refusals.
            raise RefusedError(str(error), 403) from error
        if find and (found := call_patiently(patience, find)) is not None:
            return found
    raise AssertionError("unreachable")


def kaggle_error(error: RefusedError | NoAnswerError, competition: str, advice: str) -> KaggleError:
    """The error for the user; ``advice`` is what to do if the refusal is of no known kind."""
    if isinstance(error, NoAnswerError):
        return KaggleError(
            f"The connection to Kaggle broke and did not come back ({error}). Whatever runs on Kaggle continues; "
            "make submissions lists what was submitted."
        )
    return KaggleError(WRONG_TOKEN if error.status == 401 else explain(str(error), competition, advice))


def _message_of(error: requests.exceptions.HTTPError) -> str:
    """Kaggle's message, which may be in the body of the answer only."""
    if error.response is not None:
        try:
            message = error.response.json()["message"]
            return str(message)
        except (ValueError, KeyError, TypeError):
            pass
    return str(error)


def _has_token() -> bool:
    """Whether there is a token to sign in with."""
    from kagglesdk.kaggle_env import get_access_token_from_env

    return get_access_token_from_env()[0] is not None


class _TimeoutAdapter(HTTPAdapter):
    """Gives up on a connection that has gone silent."""

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        """Send with a timeout, unless the caller sets one."""
        if kwargs.get("timeout") is None:
            kwargs["timeout"] = TIMEOUT
        return super().send(request, *args, **kwargs)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep Kaggle's client from printing, above all what it sends."""
    removed = {name: os.environ.pop(name) for name in VERBOSE_VARIABLES if name in os.environ}
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            yield
    finally:
        os.environ.update(removed)
