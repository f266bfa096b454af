"""Tasks: a data set, split as the competition splits it, with the network and the recipe that go with it.

A task is a file here with a function ``task() -> Task``; the file's name is the task's name. Where a task can be
had in several sizes, or is read from a folder, the function takes ``size`` or ``data``.
"""

import hashlib
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path

import torch
from torch import Tensor, nn

from starter_kit.batches import Examples
from starter_kit.training import Recipe

DATA = Path("out/data")
"""Data sets that are downloaded go in here, and those that are not are looked for."""


class TaskError(Exception):
    """A task cannot be had as it was asked for; the message says what was expected, what was found, what to do."""


@dataclass(frozen=True, eq=False)
class Task:
    """What is to be learned, and what of it is to be forgotten.

    Attributes:
        name: the name of the file that makes it, with its size if that is not the usual one.
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


def load(name: str, data: Path | None = None) -> Task:
    """Make the task of that name, on the CPU.

    Args:
        name: of a file here, with ":SIZE" behind it for another size than the usual.
        data: the folder of a data set that is not made here; None for the usual place, in ``DATA``.

    Raises:
        TaskError: there is no such task, it cannot be had so, or its data cannot be read.
    """
    stem, colon, size = name.partition(":")
    if stem not in names():
        near = get_close_matches(stem, names(), n=1)
        hint = f"Did you mean {near[0]!r}?" if near else f"There are: {', '.join(names())}."
        raise TaskError(f"There is no task {stem!r}. {hint}")
    make = import_module(f"{__name__}.{stem}").task
    takes = inspect.signature(make).parameters
    options: dict[str, object] = {}
    if colon:
        if "size" not in takes:
            raise TaskError(f"The task {stem} has one size only: name it without {colon + size!r}.")
        if not (size.isascii() and size.isdigit()):
            raise TaskError(f"Expected a task's size as a whole number, as in {stem}:600; found {name!r}.")
        options["size"] = int(size)
    if data is not None:
        if "data" not in takes:
            raise TaskError(f"The task {stem} reads no folder; found {data}.")
        options["data"] = data
    task = make(**options)
    for trained_on in (len(task.retain), len(task.train)):
        if trained_on % task.recipe.batch_size == 1:
            raise TaskError(
                f"{name}: {trained_on} examples to train on leave a last batch of one, and batch norm cannot train on "
                "it; one more or one fewer will do"
            )
    return task


def competition_recipe(targets: Tensor, classes: int) -> Recipe:
    """How the competition's models were trained: classes count by one over their number in the training set.

    Args:
        targets: [n] the classes of the training set, retain and forget.
        classes: how many there are; one that does not occur counts 1.
    """
    counts = torch.bincount(targets, minlength=classes).clamp(min=1).tolist()
    return Recipe(
        "adam",
        epochs=30,
        batch_size=64,
        learning_rate=1e-4,
        weight_decay=5e-3,
        class_weights=tuple(1 / count for count in counts),
    )
