"""A stand-in for the competition's faces that needs no licence and no download.

Some 300 made persons, photographed again and again; the label is an age group, which shows, but not in everybody
alike. As in the competition pictures are 3x32x32 with raw values from 0 to 255, split at random 80/10/10, the
youngest group dominates, and the forget request is all training pictures of some persons, about 2 %. Network and
recipe are the competition's.
"""

import numpy as np
import torch
from torchvision.models import resnet18

from starter_kit.batches import Examples
from starter_kit.portraits import people, portraits
from starter_kit.tasks import Task, TaskError, competition_recipe

SIZE = 20_000
SMALLEST = 600
"""Below it some age group would have no one in it."""

PERSONS = 300
PICTURES_A_PERSON = 12
"""At least, where there are too few pictures for so many persons."""

SHARES = (40, 22, 12, 8, 6, 4, 3, 2, 2, 1)
"""Of a hundred persons, how many are in each age group, from the youngest to the oldest."""

FORGET_SHARE = 0.02
SEED = 0


def network() -> torch.nn.Module:
    """The competition's: torchvision's ResNet-18, with the stem that it has for ImageNet."""
    return resnet18(num_classes=len(SHARES))


def task(size: int = SIZE) -> Task:
    """So many pictures in all.

    Raises:
        TaskError: too few to be split.
    """
    if size < SMALLEST:
        raise TaskError(f"faces: expected {SMALLEST} pictures or more, found {size}; try TASK=faces:600")
    rng = np.random.default_rng(SEED)
    persons = min(PERSONS, size // PICTURES_A_PERSON)
    group = np.searchsorted(np.cumsum(SHARES[:-1]), (100 * np.arange(persons) + 50) / persons, side="right")
    looks = people((group + rng.random(persons)) / len(SHARES), rng)
    person = rng.permutation(np.arange(size) % persons)
    pictures = torch.tensor(portraits(looks, person, rng))

    train, validation, test = np.split(np.arange(size), [size * 8 // 10, size * 9 // 10])
    forget = np.isin(person[train], _forgotten(group, person[train], rng))

    def examples(index: np.ndarray) -> Examples:
        return Examples(
            inputs=pictures[index].float(),
            targets=torch.tensor(group[person[index]]),
            image_id=torch.tensor(index),
            person_id=torch.tensor(person[index]),
        )

    return Task(
        name="faces" if size == SIZE else f"faces:{size}",
        network=network,
        recipe=competition_recipe(torch.tensor(group[person[train]]), len(SHARES)),
        retain=examples(train[~forget]),
        forget=examples(train[forget]),
        validation=examples(validation),
        test=examples(test),
    )


def _forgotten(group: np.ndarray, person: np.ndarray, rng: np.random.Generator) -> list[int]:
    """Persons whose pictures make up the share to be forgotten, never one of the last two of an age group."""
    common = np.flatnonzero(np.bincount(group)[group] > 2)
    chosen: list[int] = []
    for one in rng.permutation(common):
        if np.isin(person, chosen).mean() >= FORGET_SHARE:
            break
        chosen.append(int(one))
    return chosen
