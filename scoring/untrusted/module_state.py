"""Everything that a module holds, as tensors by name: weights and buffers, and whatever lies in its attributes."""

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import fields, is_dataclass
from numbers import Number
from types import BuiltinFunctionType, FunctionType

import numpy as np
import torch
from torch import Tensor, nn

from starter_kit.errors import SubmissionError

TORCHS_OWN = frozenset(nn.Module().__dict__)
"""Attributes of every module: its registers, which are read by themselves, its hooks and its mode."""


def tensors_in(module: nn.Module, strict: bool = True) -> dict[str, Tensor]:
    """Everything that a module holds: two modules that hold the same have the same names and the same bits.

    Args:
        module: a module of any kind.
        strict: whether to raise if an attribute holds something that cannot be compared bit by bit.

    Returns:
        Tensors on the CPU by path, as in ``fc.weight`` or ``checkpoints[3].momentum``. Numbers and text are tensors
        too. What lies at several places is only found at the first one.

    Raises:
        SubmissionError: there is something else, such as a generator that has begun.
    """
    return dict(_Walk(strict).of_module(module, ""))


class _Walk:
    """A walk through a module that visits each object once."""

    def __init__(self, strict: bool) -> None:
        self.strict = strict
        self.visited: dict[int, object] = {}

    def of_module(self, module: nn.Module, path: str) -> Iterator[tuple[str, Tensor]]:
        registers = (module._parameters, module._buffers, module._modules)
        others = {name: value for name, value in module.__dict__.items() if name not in TORCHS_OWN}
        for name, value in sorted({**others, **{k: v for part in registers for k, v in part.items()}}.items()):
            yield from self.of(value, f"{path}.{name}" if path else name)

    def of(self, value: object, path: str) -> Iterator[tuple[str, Tensor]]:
        """What lies at a path."""
        match value:
            case None | bool() | Number() | str() | bytes() | torch.dtype() | torch.device() | torch.Size():
                yield path, _as_tensor(value)
                return
        if id(value) in self.visited:
            return
        # Kept, so that no other object gets its number.
        self.visited[id(value)] = value
        match value:
            case Tensor():
                yield path, value.detach().to("cpu", copy=True).contiguous()
            case np.ndarray() | np.generic() if value.dtype.kind in "biuf":
                yield path, torch.from_numpy(np.array(value))
            case torch.Generator():
                yield path, value.get_state()
            case nn.Module():
                yield from self.of_module(value, path)
            case Mapping():
                for key, item in value.items():
                    yield from self.of(item, f"{path}[{key!r}]")
                # A mapping's order decides what is done first.
                yield f"{path}[]", _as_tensor(repr([*value]) if all(map(_plain, value)) else len(value))
            case list() | tuple():
                for place, item in enumerate(value):
                    yield from self.of(item, f"{path}[{place}]")
                yield f"{path}[]", _as_tensor(len(value))
            case AbstractSet() if all(map(_plain, value)):
                yield path, _as_tensor(repr(sorted(value, key=repr)))
            case torch.optim.Optimizer():
                yield from self.of(value.state_dict(), path)
            case type() | FunctionType() | BuiltinFunctionType() if not getattr(value, "__closure__", None):
                yield path, _as_tensor(value.__qualname__)
            case _ if is_dataclass(value):
                for one in fields(value):
                    yield from self.of(getattr(value, one.name), f"{path}.{one.name}")
            case _ if self.strict:
                raise SubmissionError(
                    f"the model's {path} is a {type(value).__name__}, which cannot be compared bit by bit. Keep "
                    "tensors, numbers and text, in dictionaries, lists or data classes."
                )


def _plain(value: object) -> bool:
    return isinstance(value, str | bytes | int | float | bool | None)


def _as_tensor(value: object) -> Tensor:
    """A single value as a tensor: numbers that fit as such, everything else as text."""
    if isinstance(value, bool | float) or (isinstance(value, int) and abs(value) < 2**63):
        return torch.tensor(value, dtype=torch.float64 if isinstance(value, float) else None)
    return torch.tensor(list(repr(value).encode()), dtype=torch.uint8)
