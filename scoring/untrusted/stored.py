"""A tensor as a checkpoint describes it: a view of numbers that are stored elsewhere in the file."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

TYPES = {
    "torch DoubleStorage": torch.float64,
    "torch FloatStorage": torch.float32,
    "torch HalfStorage": torch.float16,
    "torch BFloat16Storage": torch.bfloat16,
    "torch ComplexFloatStorage": torch.complex64,
    "torch ComplexDoubleStorage": torch.complex128,
    "torch LongStorage": torch.int64,
    "torch IntStorage": torch.int32,
    "torch ShortStorage": torch.int16,
    "torch CharStorage": torch.int8,
    "torch ByteStorage": torch.uint8,
    "torch BoolStorage": torch.bool,
}
"""The types in which weights are saved. Which of them fit is checked afterwards."""

MAX_DIMENSIONS = 8
MAX_ELEMENTS = 2**62
"""Torch counts elements in 64 bits. A shape beyond this could not even be reported as a wrong one."""


@dataclass(frozen=True, slots=True)
class Storage:
    """The numbers in one part of a checkpoint: their type, the part's name in ``data/``, and how many they are."""

    dtype: torch.dtype
    key: str
    size: int


@dataclass(frozen=True, slots=True)
class StoredTensor:
    """A view of a storage. No number is negative; otherwise the view may be impossible."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    parameter: bool = False

    def __post_init__(self) -> None:
        if len(self.shape) > MAX_DIMENSIONS or math.prod(max(size, 1) for size in self.shape) > MAX_ELEMENTS:
            raise ValueError("a tensor has an impossible shape")
        if len(self.shape) != len(self.strides):
            raise ValueError(f"a tensor has {len(self.shape)} dimensions and {len(self.strides)} strides")

    def view(self, numbers: Tensor) -> Tensor:
        """The tensor as a view of its storage's numbers, ``[storage.size]``.

        Raises:
            ValueError: it reaches beyond the storage.
        """
        if 0 in self.shape:
            return torch.empty(self.shape, dtype=numbers.dtype)
        last = self.offset + sum((size - 1) * stride for size, stride in zip(self.shape, self.strides, strict=True))
        if last >= len(numbers):
            raise ValueError(f"a tensor reaches to number {last} of a part that has {len(numbers)}")
        return numbers.as_strided(self.shape, self.strides, self.offset)
