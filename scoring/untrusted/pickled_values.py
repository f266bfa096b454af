"""What the values in a checkpoint's pickle stand for: containers, names of functions, and descriptions of tensors."""

from collections import OrderedDict
from dataclasses import dataclass, field, replace
from typing import Any

from scoring.untrusted.stored import TYPES, Storage, StoredTensor

ORDERED = "collections OrderedDict"
TENSOR = "torch._utils _rebuild_tensor_v2"
PARAMETER = "torch._utils _rebuild_parameter"
NAMES = {ORDERED, TENSOR, PARAMETER, *TYPES}
"""All functions and classes that a pickle of weights may name. None of them is ever looked up."""

MAX_DEPTH = 8
"""Containers in one another. torch.save needs 3 for weights and their metadata."""


@dataclass(slots=True, eq=False)
class Container:
    """A tuple, list or dictionary in the making. What a list holds is dropped: no weights are in one."""

    kind: type
    items: tuple[Any, ...] = ()
    named: dict[str, Any] = field(default_factory=dict)
    depth: int = 1

    def deepen(self, values: list[Any]) -> None:
        """Take into account that it holds these values. Raises ``ValueError`` if it nests too deeply."""
        for value in values:
            if type(value) is Container:
                self.depth = max(self.depth, value.depth + 1)
        if self.depth > MAX_DEPTH:
            raise ValueError(f"its pickle nests more than {MAX_DEPTH} containers")


@dataclass(frozen=True, slots=True)
class Global:
    """A class or function, of which only the name is known."""

    name: str


def kind_of(value: object) -> type:
    """The type of a value, or the type that a container stands for."""
    return value.kind if type(value) is Container else type(value)


def _is_count(value: object) -> bool:
    """Whether it is an integer in [0, 2^63), which excludes True."""
    return type(value) is int and 0 <= value < 2**63


def _sizes(value: object) -> tuple[Any, ...]:
    """The items of a tuple; of anything else, one that is no count."""
    return value.items if type(value) is Container and value.kind is tuple else (None,)


def _is_empty(hooks: object) -> bool:
    """Whether a tensor has no hooks."""
    return type(hooks) is Container and hooks.kind is OrderedDict and not hooks.named


def returned(function: object, arguments: object) -> object:
    """What the calls that torch.save writes would return: an empty dictionary, a tensor or a parameter.

    Raises:
        ValueError: it is no such call, or has other arguments.
    """
    match function, arguments.items if isinstance(arguments, Container) and arguments.kind is tuple else None:
        case Global(name=name), () if name == ORDERED:
            return Container(OrderedDict)
        case Global(name=name), (Storage() as storage, int(offset), shape, strides, bool(), hooks) if (
            name == TENSOR and _is_empty(hooks) and all(map(_is_count, (offset, *_sizes(shape), *_sizes(strides))))
        ):
            return StoredTensor(storage, offset, _sizes(shape), _sizes(strides))
        case Global(name=name), (StoredTensor(parameter=False) as tensor, bool(), hooks) if (
            name == PARAMETER and _is_empty(hooks)
        ):
            return replace(tensor, parameter=True)
    raise ValueError("its pickle describes a tensor in another way than torch.save")


def storage_of(identifier: object) -> Storage:
    """The storage that torch.save's persistent identifier describes. Raises ``ValueError`` if it is another."""
    match identifier.items if isinstance(identifier, Container) else None:
        # The device that it was on does not matter.
        case "storage", Global(name=name), str(key), str(), int(size) if name in TYPES and _is_count(size):
            return Storage(TYPES[name], key, size)
    raise ValueError("its pickle describes the numbers of a tensor in another way than torch.save")
