"""How a run of a submission ended, and what to say of one that left no model."""

import re
import signal
from dataclasses import dataclass
from typing import Literal

import torch

from scoring.untrusted.submission import Submission
from starter_kit.errors import MachineError, SubmissionError, UnsuitedError

ATTEMPTS = 3
"""How often a run is made whose process is killed from outside, by the system or by a person."""


@dataclass(frozen=True)
class Ended:
    """How a run ended.

    Attributes:
        how: one of these.

            - ``done``: it returned; ``content`` is what it was asked for.
            - ``error``: it raised; ``content`` is the error's text.
            - ``exit``, ``signal``: its process ended or crashed before it returned, with this ``code``.
            - ``memory``: the system killed it because memory ran out; ``gpu memory``: a GPU's memory ran out.
            - ``limit``: it was stopped when its time was up.
            - ``size``: it left more than a model of the task takes.
            - ``silence``: it closed the connection, or sent something other than an answer.
            - ``fault``: the kit itself failed before it started; ``where`` is the traceback.
        content: bytes, see above.
        seconds: from its start, or from the request, until the answer had arrived.
        code: the exit code, or the signal's number.
        where: Python's stack when it crashed or was stopped, innermost frame first.
    """

    how: Literal["done", "error", "exit", "signal", "memory", "gpu memory", "limit", "size", "silence", "fault"]
    content: bytes = b""
    seconds: float = 0.0
    code: int = 0
    where: str = ""


def blame(ended: Ended, submission: Submission, run: str, limit: float) -> Exception:
    """The error for a run that left no model: a ``KitError``, or one of the kit's own or the GPU's.

    Args:
        ended: not of the kind ``done``.
        submission: what was run.
        run: which run of it, such as "in run 3".
        limit: the seconds that it had.
    """
    at = _place(ended.where, submission)
    match ended.how:
        case "memory":
            return MachineError(
                f"{submission.path} was killed {ATTEMPTS} times {run} because memory ran out. Use fewer workers "
                "(WORKERS=) to reduce memory use."
            )
        case "gpu memory":
            # The backend makes the run again, with fewer workers on the GPU.
            return torch.OutOfMemoryError(ended.content.decode(errors="replace"))
        case "fault":
            return RuntimeError(f"a run could not be started:\n{ended.where}")
        case "error":
            report = ended.content.decode(errors="replace")
            if reason := _refusal(report, submission):
                return UnsuitedError(f"{submission.path} does not run on this task: {reason}")
            return SubmissionError(f"{submission.path} failed {run}:\n{report}")
        case "exit":
            reason = f"its process ended with exit code {ended.code} before it returned. Does it call os._exit?"
        case "signal" if ended.code == signal.SIGKILL:
            reason = f"its process was killed {ATTEMPTS} times, though memory did not run out. Does it kill itself?"
        case "signal":
            reason = f"its process crashed with {_name(ended.code)}{at}."
        case "limit":
            reason = (
                f"it was stopped{at} after {limit:g} seconds. The limit is three times the training time of the "
                "original model (ten times for a submission that brings its own learning), at least a minute, and an "
                "hour where the original comes trained. LIMIT=SECONDS sets another."
            )
        case "size":
            reason = (
                "what it sent is too large. Return a model with the architecture of `net`. A submission that brings "
                "its own learning can send 1 GiB."
            )
        case _:
            reason = "it closed the kit's connection, or wrote to it. Close only what you opened."
    return SubmissionError(f"{submission.path} failed {run}: {reason}")


def _refusal(report: str, submission: Submission) -> str | None:
    """What a submission says that raised ``NotImplementedError`` itself; None for torch's errors of this type."""
    frames = re.findall(r'^  File "(.+)", line \d+.*\n    (.*)', report, re.MULTILINE)
    said = re.search(r"^NotImplementedError: (.+)\Z", report, re.MULTILINE)
    if not (said and frames):
        return None
    path, line = frames[-1]
    return said[1] if path == str(submission.path) and line.startswith("raise NotImplementedError") else None


def _place(stack: str, submission: Submission) -> str:
    """The innermost line of the submission in a stack, as part of a sentence."""
    found = re.search(rf'File "{re.escape(str(submission.path))}", line (\d+) in (\w+)', stack)
    return f" at line {found[1]} in {found[2]}" if found else ""


def _name(code: int) -> str:
    """A signal's name."""
    try:
        return signal.Signals(code).name
    except ValueError:
        return f"signal {code}"
