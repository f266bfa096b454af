"""Write a task and its original model in the layout of the competition's input folder."""

import csv
import json
from collections.abc import Mapping
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor
from torchvision.models import resnet18

from starter_kit.examples import Examples

COLUMNS = ("image_id", "age_group", "age", "person_id")
CLASSES = 10
PICTURE = (3, 32, 32)


def write(folder: Path, sets: Mapping[str, Examples], original: Mapping[str, Tensor]) -> None:
    """Write ``retain.csv``, ``forget.csv``, ``validation.csv``, the images, the class counts and the original model.

    An example of person A with image_id B becomes ``images/A/B.png``, with the image_id ``A-B`` in the CSV file. Other
    sets, such as the test set, are not written.

    Args:
        folder: created if it does not exist.
        sets: the examples of "retain", "forget" and "validation": inputs [n, 3, 32, 32], integers from 0 to 255, and
            targets from 0 to 9.
        original: the weights of a torchvision ``resnet18`` with 10 classes.

    Raises:
        ValueError: the examples or the weights do not fit the layout.
        OSError: the folder cannot be written.
    """
    expected = {name: tuple(value.shape) for name, value in resnet18(num_classes=CLASSES).state_dict().items()}
    if {name: tuple(value.shape) for name, value in original.items()} != expected:
        raise ValueError(
            f"the competition's notebook builds torchvision's resnet18 with {CLASSES} classes, but this task has "
            "another network"
        )
    for name in ("retain", "forget", "validation"):
        _check(name, sets[name])
    for name in ("retain", "forget", "validation"):
        _write_set(folder, name, sets[name])
    train = torch.cat([sets["retain"].targets, sets["forget"].targets]).cpu()
    # Despite its name, the competition's file holds counts.
    counts = torch.bincount(train, minlength=CLASSES).tolist()
    text = json.dumps({str(group): count for group, count in enumerate(counts)})
    (folder / "age_class_weights.json").write_text(text)
    torch.save({name: value.detach().cpu() for name, value in original.items()}, folder / "original_model.pth")


def _check(name: str, examples: Examples) -> None:
    """Raise ``ValueError`` if these examples do not fit the competition's PNG files and classes."""
    inputs, targets = examples.inputs, examples.targets
    if tuple(inputs.shape[1:]) != PICTURE:
        raise ValueError(
            f"{name}: expected pictures of the competition's shape {PICTURE}, found {tuple(inputs.shape[1:])}"
        )
    if not bool(((inputs == inputs.round()) & (inputs >= 0) & (inputs <= 255)).all()):
        raise ValueError(f"{name}: expected pixels that are integers from 0 to 255, as in a PNG file")
    if targets.ndim != 1 or not bool(((targets >= 0) & (targets < CLASSES)).all()):
        raise ValueError(
            f"{name}: expected one class per example, from 0 to {CLASSES - 1}, found {targets.min()} to {targets.max()}"
        )


def _write_set(folder: Path, name: str, examples: Examples) -> None:
    """Write the CSV file of a set, and its images."""
    batch = examples.take(torch.arange(len(examples)))
    columns = {key: batch[key].cpu().tolist() for key in ("image_id", "age_group", "age", "person_id")}
    pixels = batch["image"].permute(0, 2, 3, 1).to("cpu", torch.uint8).numpy()
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        for row in range(len(examples)):
            person, image = columns["person_id"][row], columns["image_id"][row]
            path = folder / "images" / str(person) / f"{image}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels[row]).save(path)
            rest = {key: columns[key][row] for key in ("age_group", "age", "person_id")}
            writer.writerow({"image_id": f"{person}-{image}"} | rest)
