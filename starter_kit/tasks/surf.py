"""CASIA-SURF as the organisers' evaluator reads it: the competition's own data, for those who have a licence.

The folder named by ``DATA=`` contains ``Age_Gender.txt``, with one line ``ID age gender`` per person, and pictures at
``WBackground/*/ID/real.rssdk/color/*.jpg``. Pictures are resized to 32x32 and keep their raw values from 0 to 255.
Sorted by path, they are shuffled by Python's generator with seed 43 and split 80/10/10. The label is one of ten age
bins of equal width. The forget set is the training pictures of the 15 people whose IDs sort first.

Unreadable pictures and people without a label would crash the organisers' program; here they are left out with a
warning.

Source: google-deepmind/unlearning_evaluation (2024), whose split depends on the files alone.
"""

import random
import warnings
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torchvision.transforms.functional import pil_to_tensor, resize

from starter_kit.competition.recipe import competition_recipe
from starter_kit.errors import TaskError, quoted
from starter_kit.examples import Examples
from starter_kit.networks.competition_resnet import competition_resnet
from starter_kit.task import DATA, Task
from starter_kit.tasks._progress import shown

CLASSES = 10
SIDE = 32
SHUFFLE_SEED = 43
FORGET_PEOPLE = 15
LABELS = "Age_Gender.txt"
PICTURES = "WBackground/*/ID/real.rssdk/color/*.jpg"


def task(data: Path = DATA / "casia-surf") -> Task:
    """The data set in ``data``.

    Raises:
        TaskError: it is missing or malformed, or has too few people.
    """
    ages = _ages(data)
    numbers = {name: number for number, name in enumerate(sorted(ages))}
    edges = np.linspace(min(ages.values()), max(ages.values()) + 1, CLASSES + 1)
    group = {name: int(np.digitize(age, edges)) - 1 for name, age in ages.items()}

    pictures = _pictures(data, ages)
    order = list(range(len(pictures)))
    random.Random(SHUFFLE_SEED).shuffle(order)
    person = np.array([numbers[name] for name, _ in pictures])
    targets = torch.tensor([group[name] for name, _ in pictures])
    inputs = torch.stack([picture for _, picture in pictures])

    train, validation, test = np.split(np.array(order), [int(0.8 * len(order)), int(0.9 * len(order))])
    forget = np.isin(person[train], np.unique(person[train])[:FORGET_PEOPLE])
    if forget.all() or not len(validation):
        raise TaskError(
            f"{quoted(data)}: expected pictures of more than {FORGET_PEOPLE} people, of whom {FORGET_PEOPLE} are "
            f"forgotten; found {len(pictures)} pictures of {len(np.unique(person))} people"
        )

    def examples(index: np.ndarray) -> Examples:
        return Examples(inputs[index].float(), targets[index], torch.tensor(index), torch.tensor(person[index]))

    return Task(
        name="surf",
        network=competition_resnet,
        recipe=competition_recipe(targets[train], CLASSES),
        retain=examples(train[~forget]),
        forget=examples(train[forget]),
        validation=examples(validation),
        test=examples(test),
        licence="a licence agreement signed with the authors of CASIA-SURF",
    )


def _ages(data: Path) -> dict[str, int]:
    """The age of each person by ID."""
    path = data / LABELS
    if not path.is_file():
        found = ", ".join(sorted(file.name for file in data.iterdir())[:5]) if data.is_dir() else "no such folder"
        raise TaskError(
            f"CASIA-SURF is not in {quoted(data)}: expected {LABELS} and {PICTURES}; found "
            f"{quoted(found) or 'an empty folder'}. Its authors give it to those who sign the licence: see CASIA-SURF "
            "CeFA, Face Anti-spoofing Challenge, CVPR 2020. Then name its folder with DATA=. TASK=faces is a "
            "substitute that needs no licence."
        )
    ages: dict[str, int] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
        match line.split():
            case []:
                continue
            case [name, age, _] if age.isdecimal() and name not in ages:
                ages[name] = int(age)
            case _:
                raise TaskError(
                    f"{quoted(path)}, line {number}: expected an ID that is not on an earlier line, an age and a "
                    f"gender; found '{quoted(line)}'"
                )
    if not ages:
        raise TaskError(f"{quoted(path)} is empty: expected one line 'ID age gender' per person")
    return ages


def _pictures(data: Path, ages: Iterable[str]) -> list[tuple[str, Tensor]]:
    """Pairs of a person's ID and a picture, [3, 32, 32] uint8, sorted by path."""
    # As text, like the organisers: Path objects would be compared part by part.
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
        # As a tensor, because Pillow's own resizing rounds differently.
        pictures.append((name, resize(picture, [SIDE, SIDE])))
    if not pictures:
        raise TaskError(
            f"{quoted(data)}: expected readable pictures {PICTURES} of labelled people, found none in {len(files)} "
            "files"
        )
    if unlabelled:
        warnings.warn(f"left out {len(unlabelled)} people who are not in {LABELS}, first {unlabelled[0]}", stacklevel=2)
    if unreadable:
        warnings.warn(f"left out {len(unreadable)} unreadable pictures, first {unreadable[0]}", stacklevel=2)
    return pictures
