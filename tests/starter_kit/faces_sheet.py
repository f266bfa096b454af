"""The picture of faces in the guide to tasks: ``python -m tests.starter_kit.faces_sheet`` draws it again."""

from pathlib import Path

import numpy as np
from PIL import Image

from starter_kit import tasks

SHEET = Path(__file__).parents[1] / "data/faces.png"
TASK = "faces:3600"
"""All 300 people, with enough pictures of each."""

PEOPLE = 3
PICTURES = 4
GROUPS = 10


def sheet() -> Image.Image:
    """One row per age group, from the youngest to the oldest: training pictures of its first people."""
    train = tasks.load(TASK).train
    pictures = train.inputs.permute(0, 2, 3, 1).byte().numpy()
    people, groups = train.person_id.numpy(), train.targets.numpy()

    def row(group: int) -> np.ndarray:
        shown = [np.flatnonzero(people == one)[:PICTURES] for one in np.unique(people[groups == group])[:PEOPLE]]
        return np.concatenate(list(pictures[np.concatenate(shown)]), axis=1)

    return Image.fromarray(np.concatenate([row(group) for group in range(GROUPS)]))


if __name__ == "__main__":
    sheet().save(SHEET, optimize=True)
