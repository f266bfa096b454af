"""The commands that make a report or a comparison again."""

import shlex
from pathlib import Path

from scoring.compare import Comparison
from scoring.jobs.setting import Setting
from scoring.run import Result
from scoring.untrusted.checkpoints import Checkpoints


def score_again(result: Result, with_seed: bool = True) -> str:
    """The command for a report. Nothing in it says where on this machine files lie."""
    what = "CHECKPOINTS" if isinstance(result.submission, Checkpoints) else "SUBMISSION"
    path = _as_value(_shown(result.submission.path))
    options = _options(result.reference.pools.setting, len(result.reference.retrained), with_seed)
    return f"make score {what}={path} {options}"


def compare_again(compared: Comparison) -> str:
    """The command for a comparison."""
    ranked = [result.submission.path for result in compared.ranked]
    paths = sorted(_shown(path) for path in (*ranked, *compared.failed, *compared.unsuited))
    # A space separates submissions, and in a name it is written as a question mark.
    listed = _as_value(" ".join(path.replace(" ", "?") for path in paths))
    reference = compared.reference
    return f"make compare {_options(reference.pools.setting, len(reference.retrained))} SUBMISSIONS={listed}"


def _options(setting: Setting, models: int, with_seed: bool = True) -> str:
    task = setting.task
    options = {"TASK": _as_value(task.name), "MODELS": models} | ({"SEED": setting.seed} if with_seed else {})
    if len(task.forget) != task.theirs:
        options["FORGET"] = len(task.forget)
    return " ".join(f"{name}={value}" for name, value in options.items())


def _shown(path: Path) -> str:
    """A file of the checkout by its path, any other one by its name."""
    whole, here = path.resolve(), Path.cwd()
    return str(whole.relative_to(here)) if whole.is_relative_to(here) else path.name


def _as_value(text: str) -> str:
    """A value that the shell does not expand. The Makefile does not expand any."""
    return shlex.quote(text)
