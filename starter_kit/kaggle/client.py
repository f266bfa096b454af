"""Kaggle's own client, made patient and quiet: it retries, gives up with a sentence, and shows no credentials."""

import contextlib
import io
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import requests
from requests.adapters import HTTPAdapter

from starter_kit.kaggle.errors import KaggleError
from starter_kit.kaggle.failures import NO_TOKEN, WRONG_TOKEN, explain

if TYPE_CHECKING:
    from kaggle.api.kaggle_api_extended import KaggleApi

T = TypeVar("T")
SECONDS_TO_ANSWER = 120.0
TALKATIVE = ("VERBOSE", "VERBOSE_OUTPUT")
"""With these variables Kaggle's client prints its requests, and in them the token."""


@dataclass(frozen=True)
class Patience:
    """How long to go on when Kaggle does not answer, or asks to be left alone.

    Attributes:
        attempts: how often a call is made at most.
        first: seconds until the second attempt; each wait is twice the one before.
        longest: the longest wait, in seconds.
        sleep: what waits.
    """

    attempts: int = 7
    first: float = 2.0
    longest: float = 120.0
    sleep: Callable[[float], None] = time.sleep

    def wait(self, attempt: int, asked: str | None = None) -> None:
        """Wait after an attempt, counted from 0, or as many seconds as Kaggle asked for."""
        seconds = self.first * 2**attempt
        if asked and asked.isdigit():
            seconds = float(asked)
        self.sleep(min(seconds, self.longest))


class LostError(Exception):
    """The connection broke, so that nobody knows whether Kaggle did what it was asked for."""


class RefusedError(Exception):
    """Kaggle answered, and the answer was no; the text is Kaggle's own."""

    def __init__(self, said: str, status: int) -> None:
        super().__init__(said)
        self.status = status


def connect(patience: Patience) -> "KaggleApi":
    """Kaggle's client, signed in.

    Raises:
        KaggleError: there is no token, Kaggle refuses it, or Kaggle cannot be reached.
    """
    with _quiet():
        # It signs in when it is imported, and does not say whether it could.
        from kaggle.api.kaggle_api_extended import KaggleApi

    class QuietApi(KaggleApi):
        """Never shows its requests, and does not wait forever for an answer."""

        args: ClassVar[list[str]] = [argument for argument in KaggleApi.args if argument != "--verbose"]

        def build_kaggle_client(self) -> Any:
            client = super().build_kaggle_client()
            http = client.http_client()
            http._init_session()
            for scheme in ("https://", "http://"):
                http._session.mount(scheme, _ImpatientAdapter())
            return client

    api = QuietApi()

    def sign_in() -> None:
        with _quiet():
            api.authenticate()

    try:
        ask(patience, sign_in)
    except SystemExit:
        # It ends the program when there is no token that Kaggle takes.
        raise KaggleError(WRONG_TOKEN if _has_token() else NO_TOKEN) from None
    except RefusedError as error:
        raise KaggleError(WRONG_TOKEN if error.status in (401, 403) else f"Kaggle refused: {error}.") from error
    except LostError as error:
        raise KaggleError(f"Kaggle cannot be reached: {error}. Is there a connection to the internet?") from error
    return api


def ask(patience: Patience, call: Callable[[], T], look: Callable[[], T | None] | None = None) -> T:
    """What ``call`` returns, called again while Kaggle is busy or the connection breaks.

    Args:
        patience: how often and how long.
        call: a call of Kaggle's client.
        look: for a call that must not be made twice: finds out whether a call of which the answer was lost was heard.

    Raises:
        RefusedError: Kaggle said no.
        LostError: the last attempt got no answer.
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
                raise RefusedError(_words_of(error), status) from error
            patience.wait(attempt, response.headers.get("Retry-After") if response is not None else None)
        except (requests.exceptions.RequestException, ConnectionError) as error:
            if last:
                raise LostError(type(error).__name__) from error
            patience.wait(attempt)
        except ValueError as error:
            # So the client puts some refusals.
            raise RefusedError(str(error), 403) from error
        if look and (found := ask(patience, look)) is not None:
            return found
    raise AssertionError("unreachable")


def told(error: RefusedError | LostError, competition: str, by_hand: str) -> KaggleError:
    """The error as a person reads it; ``by_hand`` is what to do where nothing else helps."""
    if isinstance(error, LostError):
        return KaggleError(
            f"The connection to Kaggle broke and did not come back ({error}). What runs there goes on; "
            "make submissions shows what was handed in."
        )
    return KaggleError(WRONG_TOKEN if error.status == 401 else explain(str(error), competition, by_hand))


def _words_of(error: requests.exceptions.HTTPError) -> str:
    """What Kaggle said, which may be in the answer's body alone."""
    if error.response is not None:
        try:
            message = error.response.json()["message"]
            return str(message)
        except (ValueError, KeyError, TypeError):
            pass
    return str(error)


def _has_token() -> bool:
    """Whether there is anything to sign in with."""
    from kagglesdk.kaggle_env import get_access_token_from_env

    return get_access_token_from_env()[0] is not None


class _ImpatientAdapter(HTTPAdapter):
    """Gives up on a connection that went silent."""

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        """Send, with a limit if there is none."""
        if kwargs.get("timeout") is None:
            kwargs["timeout"] = SECONDS_TO_ANSWER
        return super().send(request, *args, **kwargs)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep Kaggle's client from printing, above all what it sends."""
    talkative = {name: os.environ.pop(name) for name in TALKATIVE if name in os.environ}
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            yield
    finally:
        os.environ.update(talkative)
