"""CASIA-SURF, as the organisers' evaluator reads it: the competition's own data, for those who hold its licence.

The folder that `DATA=` names has ``Age_Gender.txt``, a line ``ID age gender`` for each person, and pictures at
``WBackground/*/ID/real.rssdk/color/*.jpg``. They are resized to 32x32 and keep their raw values from 0 to 255. In
order of their paths they are shuffled by Python's generator with seed 43 and split 80/10/10; the label is one of ten
age bins of equal width. To be forgotten are the training pictures of the 15 persons whose IDs come first.

Pictures that cannot be read, and persons without a label, would end the organisers' program; here they are left out
and told.

Source: google-deepmind/unlearning_evaluation (2024), whose split depends on nothing but the files.
"""

import random
import warnings
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torchvision.models import resnet18
from torchvision.transforms.functional import pil_to_tensor, resize

from starter_kit.batches import Examples
from starter_kit.progress import shown
from starter_kit.tasks import DATA, Task, TaskError, competition_recipe

CLASSES = 10
SIDE = 32
SHUFFLE_SEED = 43
FORGET_PERSONS = 15
LABELS = "Age_Gender.txt"
PICTURES = "WBackground/*/ID/real.rssdk/color/*.jpg"


def network() -> torch.nn.Module:
    """The competition's: torchvision's ResNet-18, with the stem that it has for ImageNet."""
    return resnet18(num_classes=CLASSES)


def task(data: Path = DATA / "casia-surf") -> Task:
    """The data set in ``data``.

    Raises:
        TaskError: it is not there, or not enough of it.
    """
    ages = _ages(data)
    persons = {name: number for number, name in enumerate(sorted(ages))}
    edges = np.linspace(min(ages.values()), max(ages.values()) + 1, CLASSES + 1)
    group = {name: int(np.digitize(age, edges)) - 1 for name, age in ages.items()}

    pictures = _pictures(data, ages)
    order = list(range(len(pictures)))
    random.Random(SHUFFLE_SEED).shuffle(order)
    person = np.array([persons[name] for name, _ in pictures])
    targets = torch.tensor([group[name] for name, _ in pictures])
    inputs = torch.stack([picture for _, picture in pictures])

    train, validation, test = np.split(np.array(order), [int(0.8 * len(order)), int(0.9 * len(order))])
    forget = np.isin(person[train], np.unique(person[train])[:FORGET_PERSONS])
    if forget.all() or not len(validation):
        raise TaskError(
            f"{data}: expected pictures of more than {FORGET_PERSONS} persons, of whom {FORGET_PERSONS} are forgotten; "
            f"found {len(pictures)} pictures of {len(np.unique(person))} persons"
        )

    def examples(index: np.ndarray) -> Examples:
        return Examples(inputs[index].float(), targets[index], torch.tensor(index), torch.tensor(person[index]))

    return Task(
        name="surf",
        network=network,
        recipe=competition_recipe(targets[train], CLASSES),
        retain=examples(train[~forget]),
        forget=examples(train[forget]),
        validation=examples(validation),
        test=examples(test),
    )


def _ages(data: Path) -> dict[str, int]:
    """The age of each person by ID."""
    path = data / LABELS
    if not path.is_file():
        found = ", ".join(sorted(file.name for file in data.iterdir())[:5]) if data.is_dir() else "no such folder"
        raise TaskError(
            f"CASIA-SURF is not in {data}: expected {LABELS} and {PICTURES}; found {found or 'an empty folder'}. It "
            "is given out by its authors to those who sign its licence: CASIA-SURF CeFA at the Face Anti-spoofing "
            "Challenge of CVPR 2020. Then name its folder with DATA=. TASK=faces is a stand-in without a licence."
        )
    ages: dict[str, int] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
        match line.split():
            case []:
                continue
            case [name, age, _] if age.isdigit() and name not in ages:
                ages[name] = int(age)
            case _:
                raise TaskError(
                    f"{path}, line {number}: expected an ID that did not occur before, an age and a gender; "
                    f"found {line!r}"
                )
    if not ages:
        raise TaskError(f"{path} is empty: expected a line 'ID age gender' for each person")
    return ages


def _pictures(data: Path, ages: Iterable[str]) -> list[tuple[str, Tensor]]:
    """Persons' IDs with their pictures, [3, 32, 32] uint8, in order of their paths."""
    # As text, as the organisers do: paths would be sorted part by part.
    folders = sorted((folder for folder in data.glob("WBackground/*/*") if folder.is_dir()), key=str)
    files = [(folder.name, file) for folder in folders for file in sorted(folder.glob("real.rssdk/color/*.jpg"))]
    known = set(ages)
    unlabelled = sorted({name for name, _ in files if name not in known})
    unreadable: list[Path] = []
    pictures: list[tuple[str, Tensor]] = []
    for name, file in shown([pair for pair in files if pair[0] in known], "reading CASIA-SURF"):
        try:
            with Image.open(file) as opened:
                picture = pil_to_tensor(opened.convert("RGB"))
        except OSError:
            unreadable.append(file)
            continue
        # As a tensor: Pillow's own resizing rounds otherwise.
        pictures.append((name, resize(picture, [SIDE, SIDE])))
    if not pictures:
        raise TaskError(f"{data} has no pictures: expected {PICTURES}, found {len(files)} such files")
    if unlabelled:
        warnings.warn(f"left out {len(unlabelled)} persons without a line in {LABELS}: {unlabelled[0]}", stacklevel=2)
    if unreadable:
        warnings.warn(f"left out {len(unreadable)} pictures that cannot be read: {unreadable[0]}", stacklevel=2)
    return pictures
