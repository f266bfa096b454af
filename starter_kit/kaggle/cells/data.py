"""The competition's input folder as examples."""

from starter_kit.examples import Examples
from starter_kit.kaggle.cells.places import CLASSES  # isort: split

# %% [markdown]
# ## The data
# All images are read once, sorted by path, and kept on the device as float32 with raw values from 0 to 255. A batch
# unpacks as `inputs, targets` and also has the competition's keys: `batch["image"]`, `batch["age_group"]` and others.

# %%
import csv
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

Column = Tensor | list[str]


class CompetitionExamples(Examples):
    """Examples with the competition's own columns: ids such as "12-3", and an age besides the age group."""

    def __init__(self, inputs: Tensor, targets: Tensor, columns: Mapping[str, Column]) -> None:
        position = torch.arange(len(targets))
        super().__init__(inputs, targets, image_id=position, person_id=position)
        self.named_columns = columns

    def _rest(self, index: Tensor) -> dict:
        """The named columns at [B] positions, or at a single one."""
        rest: dict[str, object] = {}
        for name, column in self.named_columns.items():
            if isinstance(column, Tensor):
                rest[name] = column[index]
            elif index.ndim:
                rest[name] = [column[position] for position in index.tolist()]
            else:
                rest[name] = column[int(index)]
        return rest


def read_examples(folder: Path, name: str, device: str) -> CompetitionExamples:
    """The examples listed in `name.csv`, sorted by the paths of their images: inputs [n, 3, 32, 32], targets [n]."""
    with (folder / f"{name}.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        person, _, image = row["image_id"].partition("-")
        row["path"] = str(folder / "images" / person / f"{image}.png")
    rows.sort(key=lambda row: row["path"])
    images = np.stack([np.asarray(Image.open(row["path"]).convert("RGB")) for row in rows])
    inputs = torch.from_numpy(images).permute(0, 3, 1, 2).to(device, torch.float32).contiguous()
    targets = torch.tensor([int(row["age_group"]) for row in rows], device=device)
    columns = {key: as_column([row[key] for row in rows], device) for key in ("image_id", "age", "person_id")}
    return CompetitionExamples(inputs, targets, columns)


def as_column(values: list[str], device: str) -> Column:
    """Integers or other numbers as a tensor; anything else unchanged."""
    for number in (int, float):
        try:
            return torch.tensor([number(value) for value in values], device=device)
        except ValueError:
            continue
    return values


def synthetic_examples(count: int, device: str) -> CompetitionExamples:
    """Noise in the competition's shapes, to try the submission on where there is no data."""
    columns: dict[str, Column] = {
        "image_id": [f"0-{position}" for position in range(count)],
        "age": torch.randint(0, 100, (count,), device=device),
        "person_id": torch.zeros(count, dtype=torch.int64, device=device),
    }
    inputs = torch.randint(0, 256, (count, 3, 32, 32), device=device).float()
    return CompetitionExamples(inputs, torch.arange(count, device=device) % CLASSES, columns)
