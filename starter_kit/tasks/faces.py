"""A stand-in for the competition's faces that needs no licence and no download.

Many drawn pictures of each of 300 synthetic people, labelled with their age group. Age shows in a face, in some more
clearly than in others. As in the competition, pictures are 3x32x32 with raw values from 0 to 255, they are split at
random 80/10/10, the youngest group dominates, and a request covers all training pictures of a few people, about 2% of
the training set. The network and the recipe are the competition's.
"""

import numpy as np
import torch

from starter_kit.competition.recipe import competition_recipe
from starter_kit.errors import TaskError
from starter_kit.examples import Examples
from starter_kit.networks.competition_resnet import competition_resnet
from starter_kit.task import Task
from starter_kit.tasks._portraits import people, portraits

SIZE = 20_000
SMALLEST = 600
"""With fewer pictures some age group would be empty."""

LARGEST = 500_000
"""With more, the pictures would need more memory than most machines have."""

PEOPLE = 300
PICTURES_PER_PERSON = 12
"""At least. If there are too few pictures for that, there are fewer people."""

SHARES = (40, 22, 12, 8, 6, 4, 3, 2, 2, 1)
"""The percentage of people in each age group, from the youngest to the oldest."""

FORGET_SHARE = 0.02
SEED = 0


def task(size: int = SIZE) -> Task:
    """The task with ``size`` pictures in all four sets together.

    Raises:
        TaskError: ``size`` is below ``SMALLEST`` or above ``LARGEST``.
    """
    if size < SMALLEST:
        raise TaskError(f"faces: expected at least {SMALLEST} pictures, found {size}; try TASK=faces:{SMALLEST}")
    if size > LARGEST:
        raise TaskError(f"faces: expected at most {LARGEST} pictures, found {size}; try TASK=faces:{SIZE}")
    rng = np.random.default_rng(SEED)
    total = min(PEOPLE, size // PICTURES_PER_PERSON)
    group = np.searchsorted(np.cumsum(SHARES[:-1]), (100 * np.arange(total) + 50) / total, side="right")
    looks = people((group + rng.random(total)) / len(SHARES), rng)
    person = rng.permutation(np.arange(size) % total)
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
        network=competition_resnet,
        recipe=competition_recipe(torch.tensor(group[person[train]]), len(SHARES)),
        retain=examples(train[~forget]),
        forget=examples(train[forget]),
        validation=examples(validation),
        test=examples(test),
        licence="the licence of this kit, which generates the images",
    )


def _forgotten(group: np.ndarray, person: np.ndarray, rng: np.random.Generator) -> list[int]:
    """People whose training pictures make up the share to be forgotten. Age groups of one or two people are spared."""
    common = np.flatnonzero(np.bincount(group)[group] > 2)
    chosen: list[int] = []
    for one in rng.permutation(common):
        if np.isin(person, chosen).mean() >= FORGET_SHARE:
            break
        chosen.append(int(one))
    return chosen
