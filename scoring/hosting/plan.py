"""What a competition is about, and what its scoring program must know of it."""

from dataclasses import dataclass
from importlib import import_module
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from scoring.banks.bank import Bank
from scoring.judging.time import BUDGET
from starter_kit.task import Task

Accepts = Literal["code", "checkpoints"]
"""What participants submit: a file with ``unlearning``, which the organiser's machine runs, or models."""

SLACK, AT_LEAST = 2, 600
"""The time limit of an execution: ``SLACK`` times the time budget on one core, plus ``AT_LEAST`` seconds."""


class Settings(BaseModel):
    """The content of settings.json in the reference data, which participants do not see."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    task: str = Field(description="Its name, as in TASK=.")
    forget: int | None = Field(description="How many examples the request covers, as in FORGET=; null for all.")
    seed: int = Field(ge=0, description="Of the original model.")
    models: int = Field(ge=8, description="How many unlearned models are judged.")
    accepts: Accepts


@dataclass(frozen=True, eq=False)
class Competition:
    """A competition: a task with an original model, the retrained models, and what participants submit.

    Attributes:
        settings: what the scoring program must know.
        task: with its examples.
        bank: what submissions are compared with. Participants get its original model and nothing else of it.
    """

    settings: Settings
    task: Task
    bank: Bank

    @property
    def title(self) -> str:
        """Its name."""
        return f"Unlearning: {self.task.title}"

    @property
    def seconds(self) -> int:
        """How long the scoring of a submission may take."""
        retraining = float(self.bank.retrained.seconds.mean())
        return AT_LEAST + round(SLACK * BUDGET * retraining * self.settings.models)


def network_of(task: Task) -> tuple[str, str] | None:
    """The module and the name of what makes a task's network; None if it has no name to import it by."""
    module, name = getattr(task.network, "__module__", ""), getattr(task.network, "__name__", "")
    return (module, name) if module.startswith("starter_kit.") and hasattr(import_module(module), name) else None
