"""The weights in a file that someone else wrote. Nothing is unpickled but tensors, of the kinds that are expected."""

import io
import pickletools
import re
import warnings
import zipfile
from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import Parameter

PLAIN = re.compile(r"collections OrderedDict|torch\._utils _rebuild_(tensor_v2|parameter)|torch \w+Storage")
"""What a file that holds tensors by name, and nothing else, asks for."""


def weights_in_file(content: bytes, original: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """What is in the bytes of a ``.pth``, whole numbers as they were and all others as float32.

    Raises:
        ValueError: torch.save did not write them, or not of weights like those of ``original``; the message says why.
    """
    return checked(_load(content), original)


def _load(content: bytes) -> object:
    """What ``torch.save`` put into these bytes. Raises ``ValueError`` if it was something else that wrote them."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            listed = archive.infolist()
            _check_parts(listed, len(content))
            pickles = [archive.read(entry) for entry in listed if entry.filename.endswith(".pkl")]
            strange = sorted(name for pickled in pickles for name in _names_in(pickled) if not PLAIN.fullmatch(name))
    except Exception as error:  # Whatever makes the parsers stumble over a hostile file is that file's fault.
        raise ValueError(f"it is no checkpoint that torch.save wrote: {error}") from error
    if strange:
        raise ValueError(f"it holds something other than weights: it asks for {strange[0]!r}")
    try:
        with warnings.catch_warnings():
            # Of what a hostile file may hold; it is looked at below.
            warnings.simplefilter("ignore")
            return torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except Exception as error:  # Its unpickler raises many kinds. There is no other way to read it that is safe.
        reason = str(error).strip().partition("\n")[0]
        raise ValueError(
            f"it holds something other than weights, or is damaged ({type(error).__name__}: {reason})"
        ) from error


def _check_parts(listed: list[zipfile.ZipInfo], size: int) -> None:
    """Raise ``ValueError`` if the parts of a file of this size can inflate, or are more than it."""
    compressed = [entry for entry in listed if entry.compress_type != zipfile.ZIP_STORED]
    if compressed:
        worst = max(compressed, key=lambda entry: entry.file_size)
        raise ValueError(
            f"its part {worst.filename!r} is compressed and inflates to {worst.file_size} bytes, and torch.save "
            "compresses nothing"
        )
    inside = sum(entry.file_size for entry in listed)
    if inside > size:
        raise ValueError(f"its parts say that they hold {inside} bytes, and it has {size}")


def _names_in(pickled: bytes) -> set[str]:
    """What a pickle asks for by name, and what it does that torch.save never does; nothing of it is run.

    torch.load has a list of its own of what it runs, but on that is a ``bytearray`` of any length.
    """
    asked = set()
    for operation, argument, _ in pickletools.genops(pickled):
        if operation.name == "GLOBAL":
            asked.add(str(argument))
        elif operation.name in ("STACK_GLOBAL", "INST", "EXT1", "EXT2", "EXT4"):
            asked.add(operation.name)
    return asked


def checked(state: object, original: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights in ``state`` if they are of the names, shapes and kinds of ``original``, finite and possible.

    Raises:
        ValueError: they are not; the message says which and why.
    """
    if not isinstance(state, dict):
        raise ValueError(f"expected the weights of a model by name, found {type(state).__name__}")
    if set(state) != set(original):
        strange = sorted(map(str, set(state) ^ set(original)))
        raise ValueError(
            f"expected the {len(original)} weights of the original model, found {len(state)}; the first that is "
            f"missing or too many is {strange[0]}"
        )
    return {name: _checked_tensor(name, state[name], value) for name, value in original.items()}


def _checked_tensor(name: str, value: object, expected: Tensor) -> Tensor:
    if type(value) not in (Tensor, Parameter) or not isinstance(value, Tensor):
        raise ValueError(f"{name}: expected a tensor, found {type(value).__name__}")
    if value.layout != torch.strided or value.device.type != "cpu" or value.is_quantized:
        raise ValueError(f"{name}: expected a plain tensor, found a {value.layout} one on {value.device}")
    if value.shape != expected.shape:
        raise ValueError(f"{name}: expected shape {tuple(expected.shape)}, found {tuple(value.shape)}")
    allowed = (torch.float32, torch.float16) if expected.is_floating_point() else (expected.dtype,)
    if value.dtype not in allowed:
        raise ValueError(f"{name}: expected {' or '.join(map(str, allowed))}, found {value.dtype}")
    last = value.ndim == 4 and value.is_contiguous(memory_format=torch.channels_last)
    if not (value.is_contiguous() or last):
        raise ValueError(f"{name}: it is not contiguous (strides {value.stride()}): its elements share memory")
    if not torch.isfinite(value).all():
        raise ValueError(f"{name}: {int((~torch.isfinite(value)).sum())} of its values are NaN or infinite")
    if name.endswith("running_var") and bool((value < 0).any()):
        raise ValueError(f"{name}: a variance is negative ({float(value.min()):g})")
    value = value.detach()
    return value.float() if value.is_floating_point() else value.clone()
