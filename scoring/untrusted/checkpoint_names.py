"""The names of the files in a zip or a folder of checkpoints: exactly one for each model."""

import re
from collections import Counter
from pathlib import Path

from scoring.untrusted.names import quoted
from starter_kit.errors import SubmissionError

NAME = re.compile(r"unlearned_checkpoint_(0|[1-9][0-9]{0,6})\.(pth|safetensors)")


def check_count(path: Path, names: list[str], models: int) -> None:
    """Raise ``SubmissionError`` unless there are as many files as models."""
    if len(names) == models:
        return
    found = {match[1] for name in names if (match := NAME.fullmatch(_base(name)))}
    missing = next((index for index in range(models) if str(index) not in found), None)
    hint = "" if missing is None else f"; the first missing one is unlearned_checkpoint_{missing}.pth"
    raise SubmissionError(
        f"{path}: expected exactly {models} files, unlearned_checkpoint_0.pth to _{models - 1}.pth (or .safetensors), "
        f"found {len(names)}{hint}. Set MODELS= to the number of models to score."
    )


def by_number(path: Path, names: list[str]) -> tuple[str, ...]:
    """The names in the order of their model indices.

    Args:
        path: the zip or the folder, for messages.
        names: of the files in it, as many as models.

    Raises:
        SubmissionError: a name is not one of a checkpoint, or two are of the same model.
    """
    for name, count in Counter(map(_base, names)).items():
        if count > 1:
            raise SubmissionError(f"{path}, {quoted(name)}: the name occurs {count} times.")
    found: dict[int, str] = {}
    for name in names:
        match = NAME.fullmatch(_base(name))
        if not match or int(match[1]) >= len(names):
            raise SubmissionError(
                f"{path}, {quoted(name)}: expected the names unlearned_checkpoint_0.pth to _{len(names) - 1}.pth "
                "(or .safetensors)."
            )
        index = int(match[1])
        if index in found:
            raise SubmissionError(
                f"{path}: expected one file for each model, found {_base(found[index])} and {_base(name)}."
            )
        found[index] = name
    return tuple(found[index] for index in range(len(names)))


def _base(name: str) -> str:
    """A name without the folder."""
    return name.rsplit("/", 1)[-1]
