"""Kaggle's refusals, each explained in a sentence with what to do."""

import contextlib
import json
import re
from dataclasses import dataclass

TOKEN_PAGE = "https://www.kaggle.com/settings/api"

NO_TOKEN = (
    "No Kaggle token found. Sign in at https://www.kaggle.com, press Generate New Token at "
    f"{TOKEN_PAGE}, save the token as ~/.kaggle/access_token, and run chmod 600 ~/.kaggle/access_token."
)
WRONG_TOKEN = (
    f"Kaggle rejects your token: it is wrong or has expired. Press Generate New Token at {TOKEN_PAGE} and save the "
    "token as ~/.kaggle/access_token (or in KAGGLE_API_TOKEN, if you use that variable)."
)


@dataclass(frozen=True)
class Refusal:
    """A kind of refusal.

    Attributes:
        pattern: a regular expression that Kaggle's message matches, whatever its case.
        meaning: what the refusal means.
        action: what to do; may contain {competition} and {advice}, which `explain` fills in.
    """

    pattern: str
    meaning: str
    action: str


REFUSALS = (
    Refusal(
        "phone|not verified|verif(y|ied|ication)",
        "Kaggle lends GPUs only to accounts with a verified phone number",
        "Verify yours at https://www.kaggle.com/settings, then upload again.",
    ),
    Refusal(
        "accept.{0,40}rules|rules.{0,40}accept|must join|join the competition",
        "you have not accepted the competition's rules",
        "Open https://www.kaggle.com/competitions/{competition}/rules, press Late Submission or Join, accept them, "
        "then upload again.",
    ),
    Refusal(
        "(maximum|limit|exceeded|too many|quota|concurrent).*(gpu|session)|"
        "(gpu|session).*(maximum|limit|exceeded|quota)",
        "all GPU sessions or hours of this account are in use",
        "Stop running sessions at https://www.kaggle.com/code (View Active Events), or wait for the new week's hours, "
        "then upload again.",
    ),
    Refusal(
        "(daily|per day|today).*(limit|submission|maximum)|(limit|maximum|submissions).*(daily|per day|today)",
        "you have used all of today's submissions",
        "Wait until midnight UTC, then upload again.",
    ),
    Refusal(
        "late submission|no longer accept|not accepting|deadline|has (ended|closed)|is closed|"
        "competition.*(ended|closed)",
        "this competition takes no late submissions through the API",
        "{advice}",
    ),
)


def explain(message: str, competition: str, advice: str) -> str:
    """Explain a refusal, and quote Kaggle's words.

    Args:
        message: Kaggle's answer.
        competition: the competition's slug.
        advice: what to do if the refusal is of no known kind, or nothing can be done about it.
    """
    message = " ".join(message.split())
    for refusal in REFUSALS:
        if re.search(refusal.pattern, message, re.IGNORECASE):
            action = refusal.action.format(competition=competition, advice=advice)
            return f"Kaggle refused: {refusal.meaning}. {action} (Kaggle's words: {message!r})"
    return f"Kaggle answered {message!r}. {advice}"


def manual_steps(competition: str, notebook_url: str) -> str:
    """How to submit a pushed notebook on the web page."""
    return (
        "Submit it on the web page:\n"
        f"  1. Open {notebook_url} and wait until the version has run.\n"
        "  2. Press Submit to Competition, in the panel on the right of the editor or in the menu of the Output tab.\n"
        f"     If it is missing, open https://www.kaggle.com/competitions/{competition}, press Late Submission, and "
        "choose the notebook and its latest version.\n"
        "  3. Choose the output file submission.zip and press Submit.\n"
        f"  4. The score appears at https://www.kaggle.com/competitions/{competition}/submissions and in "
        "make submissions."
    )


def last_lines(log: str, lines: int = 15) -> str:
    """The last lines of a run's log, which Kaggle keeps as plain text or as a JSON list of pieces."""
    with contextlib.suppress(ValueError, TypeError, KeyError):
        log = "".join(str(piece["data"]) for piece in json.loads(log))
    log = re.sub(r"\x1b\[[0-9;]*m", "", log)
    return "\n".join(f"  | {line}" for line in log.strip().splitlines()[-lines:])
