"""The registry of tasks: each file here is one, and its name is the task's name. README.md says how to write one.

A file defines ``task() -> Task``. The function may take ``size``, if the task comes in several sizes, ``data``, if it
reads a folder, and ``model``, if it starts from a downloaded one. Files that begin with an underscore are helpers.
"""

import inspect
from dataclasses import replace
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path

from starter_kit.errors import TaskError, quoted
from starter_kit.task import Task
from starter_kit.task_contract import shortfalls

LONGEST_SIZE = 9
"""Digits of a size. No task has a thousand million examples."""


def names() -> list[str]:
    """The names of all tasks."""
    return sorted(path.stem for folder in __path__ for path in Path(folder).glob("[!_]*.py"))


def load(name: str, data: Path | None = None, model: str | None = None) -> Task:
    """Make the task of that name, on the CPU, and check it.

    Args:
        name: a file here, optionally followed by ":SIZE". A hyphen stands for an underscore.
        data: the folder that holds the task's data; None for the usual place, ``out/data/NAME``.
        model: the folder or the name on the Hugging Face hub of the model that the task starts from; None for its own.

    Raises:
        TaskError: the task is unknown, the options do not suit it, its data cannot be read, or it does not fulfil its
            contract.
    """
    stem, colon, size = name.partition(":")
    module_name = stem.replace("-", "_")
    if module_name not in names():
        near = get_close_matches(module_name, names(), n=1)
        hint = f"Did you mean {near[0]!r}?" if near else f"Tasks: {', '.join(names())}."
        raise TaskError(f"There is no task '{quoted(stem)}'. {hint}")
    module = import_module(f"{__name__}.{module_name}")
    make = getattr(module, "task", None)
    if make is None:
        raise TaskError(f"{module.__file__} defines no task. Expected a function task() that returns a Task.")
    takes = inspect.signature(make).parameters
    options: dict[str, object] = {}
    if colon:
        if "size" not in takes:
            raise TaskError(f"The task {stem} has one size only: name it without '{quoted(colon + size)}'.")
        if not (size.isascii() and size.isdigit()):
            raise TaskError(f"Expected a task's size as a whole number, as in {stem}:600; found '{quoted(name)}'.")
        if len(size) > LONGEST_SIZE:
            raise TaskError(f"Expected a task's size in at most {LONGEST_SIZE} digits; found '{quoted(name)}'.")
        options["size"] = int(size)
    if data is not None:
        if "data" not in takes:
            raise TaskError(f"The task {stem} reads no folder, so DATA={quoted(data)} would be ignored. Leave it out.")
        options["data"] = data
    if model is not None:
        if "model" not in takes:
            raise TaskError(
                f"The task {stem} starts from no other model, so MODEL={quoted(model)} would be ignored. Leave it out; "
                "MODELS= says how many are made."
            )
        options["model"] = model
    try:
        task = make(**options)
    except MemoryError as error:
        raise TaskError(
            f"The examples of {quoted(name)} do not fit into this machine's memory. Name a smaller size, if it has any."
        ) from error
    if not isinstance(task, Task):
        raise TaskError(f"{module.__file__}: expected task() to return a Task, found {type(task).__name__}.")
    default_size = not colon or options["size"] == takes["size"].default
    expected = module_name if default_size else f"{module_name}:{options['size']}"
    if task.name.replace("-", "_") == expected:
        expected = task.name
    if found := shortfalls(task, expected):
        raise TaskError(f"The task {name} does not fulfil its contract:\n" + "\n".join(f"- {one}" for one in found))
    return replace(task, module=module.__name__)
