"""The card of a bank: what it holds, and where that comes from."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

SCHEMA_VERSION: Literal[1] = 1

Digest = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class _Part(BaseModel):
    """A part of the card. Unknown fields are an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class FileRecord(_Part):
    """A file of the bank, as it was before it was compressed."""

    size: int = Field(ge=0, description="In bytes.")
    sha256: Digest


class Card(_Part):
    """The content of bank.json."""

    schema_version: Literal[1] = SCHEMA_VERSION
    task: str = Field(description="Its name, as in TASK=.")
    label: str = Field(description="The name with the size of the request, as in saved outputs.")
    task_sha256: Digest = Field(description="Of the name, all examples, the recipe and the request.")
    seed: int = Field(ge=0)
    models: int = Field(ge=8, description="Retrained models.")
    rules: int = Field(description="Version of the rules by which the ceiling was scored.")
    reference: str = Field(description="Digest of everything that decides the retrained pool.")
    host: dict[str, str] = Field(description="The machine and the versions that made it.")
    licence: str = Field(description="Of the data.")
    files: dict[str, FileRecord] = Field(description="The other files, by name.")
