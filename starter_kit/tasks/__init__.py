"""Tasks: a data set, split as the competition splits it, with the network and the recipe that go with it.

A task is a file here with a function ``task() -> Task``; the file's name is the task's name.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path

import torch
from torch import nn

from starter_kit.batches import Examples
from starter_kit.training import Recipe


@dataclass(frozen=True, eq=False)
class Task:
    """What is to be learned, and what of it is to be forgotten.

    Attributes:
        name: the name of the file that makes it.
        network: makes a freshly initialised network, drawn from torch's global generator.
        recipe: how the original and the retrained models are trained.
        retain: training examples to keep.
        forget: training examples to forget; the original model is trained on retain and forget.
        validation: held out, and handed to a submission.
        test: held out, and never handed to a submission.
    """

    name: str
    network: Callable[[], nn.Module]
    recipe: Recipe
    retain: Examples
    forget: Examples
    validation: Examples
    test: Examples

    @property
    def sets(self) -> dict[str, Examples]:
        """The four disjoint sets by name."""
        return {name: getattr(self, name) for name in ("retain", "forget", "validation", "test")}

    @property
    def train(self) -> Examples:
        """What the original model is trained on: the retain set and then the forget set."""
        columns = ("inputs", "targets", "image_id", "person_id")
        return Examples(*(torch.cat([getattr(self.retain, name), getattr(self.forget, name)]) for name in columns))

    def to(self, device: torch.device) -> "Task":
        """The same task with its examples in a device's memory."""
        on_device = {name: examples.to(device) for name, examples in self.sets.items()}
        return Task(self.name, self.network, self.recipe, **on_device)

    def digest(self) -> str:
        """SHA-256, in hexadecimal, of all examples and the recipe: the same on every machine."""
        digest = hashlib.sha256(f"{self.name} {self.recipe}".encode())
        for name, examples in self.sets.items():
            for column in (examples.inputs, examples.targets, examples.image_id, examples.person_id):
                digest.update(f"{name} {column.dtype} {tuple(column.shape)}".encode())
                digest.update(column.cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()


def names() -> list[str]:
    """The tasks that there are."""
    return sorted(path.stem for path in Path(__file__).parent.glob("[!_]*.py"))


def load(name: str) -> Task:
    """Make the task of that name, on the CPU.

    Raises:
        ValueError: there is no such task; the message names the nearest.
    """
    if name not in names():
        near = get_close_matches(name, names(), n=1)
        hint = f"Did you mean {near[0]!r}?" if near else f"There is: {', '.join(names())}."
        raise ValueError(f"There is no task {name!r}. {hint}")
    return import_module(f"{__name__}.{name}").task()
