"""The tensors in the bytes of a ``.safetensors`` file. Its header is checked before the library sees the file."""

import json
import math

import safetensors.torch
from torch import Tensor

from scoring.untrusted.names import LONGEST_NAME, checked_name, quoted

BYTES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1}
"""The types in which weights are saved, and the size of an element. Which of them fit is checked afterwards."""

WEIGHT_BYTES = 1536
"""What the header may have at most for each weight: all characters of a name may be escaped."""

MAX_METADATA = 16
MAX_DIMENSIONS = 8


def tensors_in_safetensors(content: bytes, most: int) -> dict[str, Tensor]:
    """The tensors by name, whatever their types and shapes.

    Args:
        content: the whole file.
        most: the number of weights up to which it is read.

    Raises:
        ValueError: it is not exactly such a file; the message says why.
    """
    length = int.from_bytes(content[:8], "little")
    if len(content) < 8 or length > len(content) - 8:
        raise ValueError(f"its header claims {length} bytes, but the whole file has {len(content)}")
    if length > most * WEIGHT_BYTES:
        raise ValueError(f"its header has {length} bytes, and at most {most * WEIGHT_BYTES} are accepted")
    _check(_header(content[8 : 8 + length]), len(content) - 8 - length)
    try:
        return safetensors.torch.load(content)
    except Exception as error:  # The library raises errors of several types, all of them the file's fault.
        raise ValueError(f"it cannot be read as safetensors: {quoted(str(error))}") from error


def _header(written: bytes) -> dict[str, object]:
    """The object that the header's JSON describes."""
    try:
        header = json.loads(written.decode(), object_pairs_hook=_without_repetitions)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"its header is not valid JSON: {quoted(str(error))}") from error
    if not isinstance(header, dict):
        raise ValueError(f"expected its header to be a JSON object, found {type(header).__name__}")
    return header


def _without_repetitions(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """A JSON object. Parsers differ in which one they keep of two values for one key, so neither is accepted."""
    made = dict(pairs)
    if len(made) < len(pairs):
        raise ValueError("a key occurs twice")
    return made


def _check(header: dict[str, object], size: int) -> None:
    """Raise ``ValueError`` unless the header describes tensors that fill ``size`` bytes, one right after another."""
    _check_metadata(header.pop("__metadata__", {}))
    end = 0
    for begin, stop, name in sorted(_place(name, entry) for name, entry in header.items()):
        if begin != end:
            raise ValueError(f"the bytes of {name} begin at {begin}, but those before it end at {end}")
        end = stop
    if end != size:
        raise ValueError(f"its tensors have {end} bytes, but {size} follow the header")


def _check_metadata(metadata: object) -> None:
    """Raise ``ValueError`` unless it is a few short strings, such as the framework that wrote the file."""
    if not isinstance(metadata, dict) or len(metadata) > MAX_METADATA:
        raise ValueError(f"expected its __metadata__ to be an object of at most {MAX_METADATA} strings")
    for text in (*metadata, *metadata.values()):
        if not isinstance(text, str) or len(text) > LONGEST_NAME:
            raise ValueError(f"expected its __metadata__ to hold strings of at most {LONGEST_NAME} characters")


def _place(name: str, entry: object) -> tuple[int, int, str]:
    """Where the bytes of a tensor begin and end, and its name."""
    checked_name(name)
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        raise ValueError(f"{name}: expected exactly dtype, shape and data_offsets in its header")
    dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(dtype, str) or dtype not in BYTES:
        raise ValueError(f"{name}: expected a dtype among {', '.join(BYTES)}, found {quoted(str(dtype))}")
    if not _counts(shape) or len(shape) > MAX_DIMENSIONS:
        raise ValueError(f"{name}: expected its shape to be at most {MAX_DIMENSIONS} integers in [0, 2^63)")
    if not _counts(offsets) or len(offsets) != 2:
        raise ValueError(f"{name}: expected its data_offsets to be two integers in [0, 2^63)")
    needed = math.prod(shape) * BYTES[dtype]
    if offsets[1] - offsets[0] != needed:
        raise ValueError(f"{name}: its shape needs {needed} bytes, but its data_offsets span {offsets[1] - offsets[0]}")
    return offsets[0], offsets[1], name


def _counts(value: object) -> bool:
    """Whether it is a list of integers that torch can hold and none of which is negative."""
    return isinstance(value, list) and all(type(item) is int and 0 <= item < 2**63 for item in value)
