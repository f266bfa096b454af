"""The sheet of drawn faces in the README: ``python -m tests.faces_sheet`` draws it again."""

from pathlib import Path

import numpy as np
from PIL import Image

from starter_kit import tasks

SHEET = Path(__file__).parent / "data/faces.png"
TASK = "faces:3600"
"""All 300 persons, with enough pictures of each."""

PERSONS = 3
PICTURES = 4
GROUPS = 10


def sheet() -> Image.Image:
    """A row an age group from the youngest to the oldest: some training pictures of its first persons."""
    train = tasks.load(TASK).train
    pictures = train.inputs.permute(0, 2, 3, 1).byte().numpy()
    persons, groups = train.person_id.numpy(), train.targets.numpy()

    def row(group: int) -> np.ndarray:
        shown = [np.flatnonzero(persons == one)[:PICTURES] for one in np.unique(persons[groups == group])[:PERSONS]]
        return np.concatenate(list(pictures[np.concatenate(shown)]), axis=1)

    return Image.fromarray(np.concatenate([row(group) for group in range(GROUPS)]))


if __name__ == "__main__":
    sheet().save(SHEET, optimize=True)
