"""The content of competition.yaml, version 2, as Codabench's unpacker reads it.

Written from the source of Codabench's unpacker, serializers and models (commit c7dbc756, March 2026), not from its
documentation, which says ``leaderboard`` in one place where the unpacker reads only ``leaderboards``. Dates are
strings, because the unpacker drops the time of day from YAML dates.
"""

from datetime import datetime
from itertools import pairwise
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

Index = Annotated[int, Field(ge=0)]


def _date(text: str) -> str:
    datetime.strptime(text, "%Y-%m-%d %H:%M:%S")
    return text


Date = Annotated[str, AfterValidator(_date)]
"""In UTC, as in 2027-01-31 23:59:59."""


class _Part(BaseModel):
    """A part of the file. The unpacker ignores what it does not know, so an unknown field is a mistake."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Page(_Part):
    """A page of the competition."""

    title: Annotated[str, Field(min_length=1, max_length=255)]
    file: str


class TaskOfPhase(_Part):
    """What a submission is run and judged with."""

    index: Index
    name: Annotated[str, Field(min_length=1, max_length=256)]
    description: str
    scoring_program: str
    reference_data: str


class Phase(_Part):
    """A time in which submissions are accepted."""

    index: Index
    name: Annotated[str, Field(min_length=1, max_length=256)]
    description: str
    start: Date
    end: Date | None = None
    tasks: Annotated[list[Index], Field(min_length=1)]
    max_submissions_per_day: Annotated[int, Field(ge=1)]
    max_submissions: Annotated[int, Field(ge=1)]
    execution_time_limit: Annotated[int, Field(ge=1)]
    hide_output: bool
    public_data: str
    starting_kit: str


class Column(_Part):
    """A column of the leaderboard; its key is one of scores.json."""

    index: Index
    key: Annotated[str, Field(min_length=1, max_length=36)]
    title: Annotated[str, Field(min_length=1, max_length=36)]
    sorting: Literal["desc", "asc"]
    precision: Annotated[int, Field(ge=0, le=10)]


class Leaderboard(_Part):
    """A leaderboard. Phases use the first one."""

    title: Annotated[str, Field(min_length=1, max_length=64)]
    key: Annotated[str, Field(min_length=1, max_length=36)]
    primary_index: Index
    submission_rule: Literal[
        "Add", "Add_And_Delete", "Add_And_Delete_Multiple", "Force_Last", "Force_Latest_Multiple", "Force_Best"
    ]
    columns: Annotated[list[Column], Field(min_length=1)]

    @model_validator(mode="after")
    def _columns_differ(self) -> Self:
        for name in ("index", "key"):
            values = [getattr(column, name) for column in self.columns]
            if len(set(values)) < len(values):
                raise ValueError(f"columns: expected a different {name} for each")
        if self.primary_index not in [column.index for column in self.columns]:
            raise ValueError(f"primary_index: no column has index {self.primary_index}")
        return self


class CompetitionYaml(_Part):
    """The whole file."""

    version: Literal[2]
    title: Annotated[str, Field(min_length=1, max_length=256)]
    description: str
    image: str
    terms: str
    docker_image: Annotated[str, Field(min_length=1, max_length=128)]
    registration_auto_approve: bool
    enable_detailed_results: bool
    make_programs_available: bool
    make_input_data_available: bool
    pages: Annotated[list[Page], Field(min_length=1)]
    tasks: Annotated[list[TaskOfPhase], Field(min_length=1)]
    phases: Annotated[list[Phase], Field(min_length=1)]
    leaderboards: Annotated[list[Leaderboard], Field(min_length=1)]

    @model_validator(mode="after")
    def _tasks_exist(self) -> Self:
        indexes = [task.index for task in self.tasks]
        if len(set(indexes)) < len(indexes):
            raise ValueError("tasks: expected a different index for each")
        if missing := {index for phase in self.phases for index in phase.tasks} - set(indexes):
            raise ValueError(f"phases: there is no task with index {min(missing)}")
        return self

    @model_validator(mode="after")
    def _phases_follow_each_other(self) -> Self:
        phases = sorted(self.phases, key=lambda phase: phase.index)
        for before, after in pairwise(phases):
            if before.end is None or after.start <= before.end:
                raise ValueError(f"phases: {before.name} must end before {after.name} starts")
        return self

    @property
    def files(self) -> set[str]:
        """The names of the files that it names, which must lie beside it."""
        of_tasks = {name for task in self.tasks for name in (task.scoring_program, task.reference_data)}
        of_phases = {name for phase in self.phases for name in (phase.public_data, phase.starting_kit)}
        return {self.image, self.terms, *(page.file for page in self.pages)} | of_tasks | of_phases
