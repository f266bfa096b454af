"""Why a submission has no score, as a file beside the reports of those that have one."""

from pydantic import BaseModel, ConfigDict, Field

FAILURE = "failure.json"


class Failure(BaseModel):
    """The content of failure.json."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    submission: str = Field(description="Its name.")
    reason: str = Field(description="What the participant was told.")
