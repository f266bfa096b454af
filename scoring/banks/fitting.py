"""Whether a bank fits what is to be scored."""

from pathlib import Path

from scoring.banks.bank import Bank
from scoring.banks.card import Card
from scoring.banks.files import card_in, load
from scoring.judging.ceiling import models_needed
from scoring.judging.score import RULES_VERSION
from starter_kit.errors import InputError, quoted
from starter_kit.task import Task

OWN = {"digits": Path(__file__).with_name("digits.zip")}
"""Banks that come with the kit, by the task's name."""


def given(path: Path, task: Task, seed: int, models: int) -> Bank:
    """The bank in a file that a person named, for pools of so many models.

    Raises:
        InputError: it cannot be read, is damaged, or does not fit the task, the seed or the rules.
    """
    if reason := why_not(card_in(path), task, seed, models):
        raise InputError(f"The bank {quoted(path)} does not fit: {reason}.")
    return load(path, task)


def own(task: Task, seed: int, models: int) -> Bank | None:
    """The kit's own bank, if there is one that fits pools of so many models."""
    path = OWN.get(task.name)
    if path is None or not path.is_file():
        return None
    card = card_in(path)
    if why_not(card, task, seed, models):
        return None
    return load(path, task)


def why_not(card: Card, task: Task, seed: int, models: int) -> str:
    """Why a bank does not fit; nothing if it does."""
    if card.label != task.label:
        return f"it is for {quoted(card.label)}, not for {task.label}"
    if card.task_sha256 != task.digest():
        return f"it was made from different examples or with a different recipe of {task.label}"
    if card.seed != seed:
        return f"its original has SEED={card.seed}, not {seed}"
    if card.rules != RULES_VERSION:
        return f"its ceiling was scored under rules version {card.rules}, not {RULES_VERSION}"
    if card.models < (needed := models_needed(models)):
        return f"it holds {card.models} retrained models; MODELS={models} needs {needed}. BANK=none trains them here"
    return ""
