"""The record of a comparison: the content of comparison.json."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from scoring.reports.record import Report

COMPARISON_SCHEMA: Literal[7] = 7


class Failed(BaseModel):
    """A submission that failed, and why."""

    name: str
    reason: str


class ComparisonRecord(BaseModel):
    """The content of comparison.json."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_version: Literal[7] = COMPARISON_SCHEMA
    task: str
    title: str = Field(description="The task and the request in words.")
    seed: int
    models: int
    command: str = Field(description="The command that reproduces it. Files outside the repository by name only.")
    ranking: list[Report]
    groups: dict[str, int] | None = Field(
        description="The group of each submission, from 1 for the best. Scores in a group do not differ significantly "
        "from the best of it."
    )
    band: tuple[float, float] = Field(description="Where an exact method scores in about 95% of runs.")
    reference: dict[str, dict[str, float | None]] = Field(description="The figures of the ceiling and of the floor.")
    failed: list[Failed]
    unsuited: list[Failed] = Field(description="Submissions that declare this task unsupported.")
