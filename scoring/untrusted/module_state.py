"""Everything that a module holds, as tensors by name: weights and buffers, and whatever lies in its attributes."""

import hashlib
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from types import BuiltinFunctionType, FunctionType

import numpy as np
import torch
from torch import Tensor, nn

from scoring.untrusted.names import LONGEST_NAME
from starter_kit.errors import SubmissionError

TORCHS_OWN = frozenset(nn.Module().__dict__)
"""Attributes of every module: its registers, which are read by themselves, its hooks and its mode."""

HOOKS = [name for name, value in nn.Module().__dict__.items() if name.endswith("hooks") and isinstance(value, dict)]

STORED = (
    *(torch.float64, torch.float32, torch.float16, torch.bfloat16),
    *(torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8, torch.bool),
)
"""The types that the format in which a state is sent has. Others are sent as bytes."""

PLAIN = (str, bytes, int, float, complex, bool, type(None), torch.dtype, torch.device, torch.Size)
MAPPINGS = (dict, OrderedDict, defaultdict, Counter)


def tensors_in(module: nn.Module) -> dict[str, Tensor]:
    """Everything that a module holds: two modules that hold the same have the same names and the same bits.

    Gradients, attributes of tensors, and the rest of a storage of which a tensor shows a part are included.

    Returns:
        Contiguous tensors on the CPU by path, as in ``fc.weight`` or ``checkpoints[3]['momentum']``. Numbers and text
        are tensors too.

    Raises:
        SubmissionError: it holds something that cannot be compared bit by bit, such as a generator that has begun.
    """
    try:
        return {_short(path): _sent(value, path) for path, value in _Walk(strict=True).of(module, "")}
    except RecursionError as error:
        raise SubmissionError("the model holds something that is nested too deeply to be compared.") from error


def size_of(module: nn.Module) -> int:
    """Bytes of everything that a module holds but gradients. What cannot be compared does not count."""
    storages: dict[int, int] = {}
    try:
        for _, value in _Walk(strict=False).of(module, ""):
            try:
                storage = value.untyped_storage()
                storages[storage.data_ptr()] = storage.nbytes()
            except (RuntimeError, NotImplementedError):
                # Sparse, say, or without values.
                storages[-id(value)] = value.numel() * value.element_size()
    except RecursionError:
        pass
    return sum(storages.values())


class _Walk:
    """A walk through a module that visits each container once."""

    def __init__(self, strict: bool) -> None:
        self.strict = strict
        self.visited: dict[int, object] = {}

    def of(self, value: object, path: str) -> Iterator[tuple[str, Tensor]]:
        """What lies at a path."""
        match value:
            case None | bool() | int() | float() | complex() | str() | bytes():
                yield path, _as_tensor(value)
                return
            case torch.dtype() | torch.device() | torch.Size():
                yield path, _as_tensor(str(value))
                return
            case Tensor():
                yield from self._of_tensor(value, path)
                return
            case tuple():
                yield from self._of_sequence(value, path)
                return
        if id(value) in self.visited:
            return
        # Kept, so that no other object gets its number.
        self.visited[id(value)] = value
        match value:
            case nn.Module():
                yield from self._of_module(value, path)
            case np.ndarray() | np.generic() if value.dtype.kind in "biufc":
                yield path, torch.from_numpy(np.array(value))
            case torch.Generator():
                yield path, value.get_state()
            case dict() if type(value) in MAPPINGS and all(map(_is_key, value)):
                for key, item in value.items():
                    yield from self.of(item, f"{path}[{key!r}]")
                # A mapping's order decides what is done first.
                yield f"{path}[]", _as_tensor(repr([*value]))
            case list():
                yield from self._of_sequence(value, path)
            case set() | frozenset() if all(map(_is_key, value)):
                yield path, _as_tensor(repr(sorted(value, key=repr)))
            case torch.optim.Optimizer():
                yield from self.of(value.state_dict(), path)
            case type() | BuiltinFunctionType():
                yield path, _as_tensor(value.__qualname__)
            case FunctionType() if not value.__closure__:
                yield path, _as_tensor(value.__qualname__)
                yield from self.of((value.__defaults__, value.__kwdefaults__, value.__dict__), f"{path}()")
            case _ if is_dataclass(value):
                held = {one.name: getattr(value, one.name) for one in fields(value) if hasattr(value, one.name)}
                yield from self.of(held | getattr(value, "__dict__", {}), path)
            case _:
                self._refuse(path, f"is a {type(value).__name__}")

    def _of_module(self, module: nn.Module, path: str) -> Iterator[tuple[str, Tensor]]:
        if any(getattr(module, name) for name in HOOKS):
            self._refuse(path or "module", "has hooks")
        held = {name: value for name, value in module.__dict__.items() if name not in TORCHS_OWN}
        for register in (module._parameters, module._buffers, module._modules):
            held |= register
        for name, value in sorted(held.items()):
            yield from self.of(value, f"{path}.{name}" if path else name)

    def _of_tensor(self, value: Tensor, path: str) -> Iterator[tuple[str, Tensor]]:
        yield path, value
        # A gradient takes memory only until the next step, and a model that is used needs none.
        if self.strict and value.is_leaf and value.grad is not None:
            yield from self.of(value.grad, f"{path}.grad")
        for name, item in sorted(value.__dict__.items()):
            yield from self.of(item, f"{path}.{name}")
        if not self.strict or value.layout != torch.strided or value.device.type == "meta" or value.is_quantized:
            return
        storage = value.untyped_storage()
        if storage.nbytes() > value.nbytes:
            yield f"{path}.storage", torch.empty(0, dtype=torch.uint8, device=value.device).set_(storage)

    def _of_sequence(self, values: list | tuple, path: str) -> Iterator[tuple[str, Tensor]]:
        kinds = set(map(type, values))
        if kinds == {float} or (kinds == {int} and all(abs(value) < 2**63 for value in values)):
            yield path, torch.tensor(values, dtype=torch.float64 if kinds == {float} else torch.int64)
            return
        for place, item in enumerate(values):
            yield from self.of(item, f"{path}[{place}]")
        yield f"{path}[]", _as_tensor(len(values))

    def _refuse(self, path: str, reason: str) -> None:
        if self.strict:
            raise SubmissionError(
                f"the model's {path} {reason}, which cannot be compared bit by bit. Keep tensors, numbers and text, in "
                "dictionaries, lists or data classes."
            )


def _is_key(value: object) -> bool:
    """Whether its text says all of it."""
    return all(map(_is_key, value)) if type(value) is tuple else type(value) in PLAIN


def _as_tensor(value: object) -> Tensor:
    """A single value as a tensor: numbers that fit as such, everything else as text."""
    if isinstance(value, bool | float) or (isinstance(value, int) and abs(value) < 2**63):
        return torch.tensor(value, dtype=torch.float64 if isinstance(value, float) else None)
    return torch.tensor(list(repr(value).encode(errors="backslashreplace")), dtype=torch.uint8)


def _sent(value: Tensor, path: str) -> Tensor:
    """A tensor as it is sent. Raises ``SubmissionError`` if it has no plain values."""
    try:
        value = value.detach().to("cpu", copy=True).contiguous()
        return value if value.dtype in STORED else value.reshape(-1).view(torch.uint8)
    except (RuntimeError, NotImplementedError, TypeError) as error:
        raise SubmissionError(
            f"the model's {path} is a tensor that cannot be compared bit by bit ({value.layout}, {value.dtype}, "
            f"{value.device}). Keep dense tensors with values."
        ) from error


def _short(path: str) -> str:
    """A path that is short enough for a name, and still its own."""
    if len(path) <= LONGEST_NAME and path.isprintable():
        return path
    return f"{ascii(path[:100])[1:101]}… ({hashlib.sha256(path.encode(errors='backslashreplace')).hexdigest()[:16]})"
