"""How an example looks to a person: as a small picture, or in words."""

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from starter_kit.examples import Examples
from starter_kit.task import Task, View

LARGEST = 64
"""Pixels of the longer side."""

MOST_VALUES = 8
"""How many values of a table row are shown."""


def views(task: Task) -> list[View]:
    """Each forget example of a task for people: rendered by the task's ``show``, or by the kind of its inputs."""
    return [task.show(task.forget, index) for index in range(len(task.forget))] if task.show else usual(task.forget)


def usual(examples: Examples) -> list[View]:
    """Inputs [C, H, W] of one or three channels as pictures, tokens as text, other numbers as numbers."""
    inputs = examples.inputs.cpu()
    if inputs.is_floating_point() and inputs.ndim == 4 and inputs.shape[1] in (1, 3):
        return [_small(picture) for picture in _bytes(inputs)]
    if examples.tokenizer is not None:
        return [_text(examples, row) for row in inputs]
    return [_numbers(row) for row in inputs.flatten(1)]


def _bytes(inputs: Tensor) -> NDArray[np.uint8]:
    """[B, H, W] or [B, H, W, 3] pictures, on the scale of the darkest and the brightest value of all."""
    low, high = inputs.min(), inputs.max()
    scaled = (inputs - low) / (high - low).clamp(min=torch.finfo(inputs.dtype).tiny) * 255
    return scaled.round().byte().movedim(1, -1).squeeze(-1).numpy()


def _small(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A picture of at most ``LARGEST`` pixels a side."""
    image = Image.fromarray(picture)
    image.thumbnail((LARGEST, LARGEST))
    return np.asarray(image)


def _text(examples: Examples, row: Tensor) -> str:
    return str(examples.tokenizer.decode(row[row != examples.padding].tolist(), skip_special_tokens=True)).strip()


def _numbers(row: Tensor) -> str:
    more = ", …" if len(row) > MOST_VALUES else ""
    return ", ".join(f"{value:g}" for value in row[:MOST_VALUES].tolist()) + more
