"""What Kaggle says when it refuses, in a sentence with what to do."""

import contextlib
import json
import re
from dataclasses import dataclass

TOKEN_PAGE = "https://www.kaggle.com/settings/api"

NO_TOKEN = (
    "There is no Kaggle token here. Sign in at https://www.kaggle.com, press Generate New Token at "
    f"{TOKEN_PAGE}, save the token as ~/.kaggle/access_token, and chmod 600 ~/.kaggle/access_token."
)
WRONG_TOKEN = (
    f"Kaggle refuses the token that is here: it is wrong, or expired. Press Generate New Token at {TOKEN_PAGE} and "
    "save it as ~/.kaggle/access_token (or in KAGGLE_API_TOKEN, if you set that)."
)


@dataclass(frozen=True)
class Failure:
    """A kind of refusal: the words by which it is known, what it means, what to do; {competition} is filled in."""

    words: str
    means: str
    do: str


FAILURES = (
    Failure(
        "phone|not verified|verif(y|ied|ication)",
        "Kaggle lends GPUs only to accounts with a verified phone number",
        "Verify yours at https://www.kaggle.com/settings, then upload again.",
    ),
    Failure(
        "accept.{0,40}rules|rules.{0,40}accept|must join|join the competition",
        "the rules of the competition are not accepted yet",
        "Open https://www.kaggle.com/competitions/{competition}/rules, press Late Submission or Join, accept them, "
        "then upload again.",
    ),
    Failure(
        "(maximum|limit|exceeded|too many|quota|concurrent).*(gpu|session)|"
        "(gpu|session).*(maximum|limit|exceeded|quota)",
        "all GPU sessions or hours of this account are in use",
        "Stop running ones at https://www.kaggle.com/code (View Active Events), or wait until the weekly hours are "
        "given anew, then upload again.",
    ),
    Failure(
        "(daily|per day|today).*(limit|submission|maximum)|(limit|maximum|submissions).*(daily|per day|today)",
        "the day's submissions are used up",
        "Wait until midnight UTC, then upload again.",
    ),
    Failure(
        "late submission|no longer accept|not accepting|deadline|has (ended|closed)|is closed|"
        "competition.*(ended|closed)",
        "this competition takes no late submissions through the programming interface",
        "{by_hand}",
    ),
)


def explain(said: str, competition: str, by_hand: str) -> str:
    """A refusal in Kaggle's words and ours.

    Args:
        said: what Kaggle answered.
        competition: its slug.
        by_hand: what to do on the web page where nothing else helps.
    """
    said = " ".join(said.split())
    for failure in FAILURES:
        if re.search(failure.words, said, re.IGNORECASE):
            do = failure.do.format(competition=competition, by_hand=by_hand)
            return f"Kaggle refused: {failure.means}. {do} (Kaggle's words: {said!r})"
    return f"Kaggle refused with the words {said!r}. {by_hand}"


def steps_by_hand(competition: str, notebook_url: str) -> str:
    """How to submit a notebook that was pushed and has run, on the web page."""
    return (
        "Submit it on the web page:\n"
        f"  1. Open {notebook_url} and wait until its version has run.\n"
        "  2. In the panel on the right of the editor, or in the menu of the notebook's Output tab, press Submit to "
        "Competition.\n"
        f"     If that is not there: open https://www.kaggle.com/competitions/{competition}, press Late Submission, "
        "choose the notebook and its newest version.\n"
        "  3. Choose the output file submission.zip and press Submit.\n"
        f"  4. The score appears at https://www.kaggle.com/competitions/{competition}/submissions and in "
        "make submissions."
    )


def last_lines(log: str, lines: int = 15) -> str:
    """The end of a run's log, which Kaggle keeps as a list of pieces in JSON."""
    # Or it is text already.
    with contextlib.suppress(ValueError, TypeError, KeyError):
        log = "".join(str(piece["data"]) for piece in json.loads(log))
    log = re.sub(r"\x1b\[[0-9;]*m", "", log)
    return "\n".join(f"  | {line}" for line in log.strip().splitlines()[-lines:])
