"""The weights in a file that someone else wrote. Only tensors of the expected types are ever unpickled."""

import io
import pickletools
import re
import warnings
import zipfile
from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import Parameter

from scoring.untrusted.safetensors_file import tensors_in_safetensors

PLAIN = re.compile(r"collections OrderedDict|torch\._utils _rebuild_(tensor_v2|parameter)|torch \w+Storage")
"""The globals in the pickle of a file that holds named tensors and nothing else."""


def weights_in_file(content: bytes, original: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights in the bytes of a ``.pth``: integers keep their type, floating point numbers become float32.

    Args:
        content: the whole file.
        original: weights with the expected names, shapes and types.

    Raises:
        ValueError: torch.save did not write the file, or its weights are unlike ``original``. The message says why.
    """
    return checked(_load(content), original)


def weights_in_safetensors(content: bytes, original: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights in the bytes of a ``.safetensors`` file, under the same conditions as those in a ``.pth``.

    Args:
        content: the whole file.
        original: weights with the expected names, shapes and types.

    Raises:
        ValueError: it is not such a file, or its weights are unlike ``original``. The message says why.
    """
    return checked(tensors_in_safetensors(content, len(original)), original)


def _load(content: bytes) -> object:
    """The object that ``torch.save`` wrote. Raises ``ValueError`` if the bytes come from anything else."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            listed = archive.infolist()
            _check_parts(listed, len(content))
            pickles = [archive.read(entry) for entry in listed if entry.filename.endswith(".pkl")]
            strange = sorted(name for pickled in pickles for name in _names_in(pickled) if not PLAIN.fullmatch(name))
    except Exception as error:  # A hostile file can make the parsers raise anything; it is the file's fault.
        raise ValueError(f"it is not a checkpoint written by torch.save: {error}") from error
    if strange:
        raise ValueError(f"it holds something other than weights: its pickle contains {strange[0]!r}")
    try:
        with warnings.catch_warnings():
            # A hostile file may trigger warnings. Its content is checked below.
            warnings.simplefilter("ignore")
            return torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except Exception as error:  # The safe unpickler raises errors of many types.
        reason = str(error).strip().partition("\n")[0]
        raise ValueError(
            f"it holds something other than weights, or is damaged ({type(error).__name__}: {reason})"
        ) from error


def _check_parts(listed: list[zipfile.ZipInfo], size: int) -> None:
    """Raise ``ValueError`` if a part is compressed, or if the parts claim more bytes than the file has."""
    compressed = [entry for entry in listed if entry.compress_type != zipfile.ZIP_STORED]
    if compressed:
        worst = max(compressed, key=lambda entry: entry.file_size)
        raise ValueError(
            f"its part {worst.filename!r} is compressed and inflates to {worst.file_size} bytes, but torch.save "
            "compresses nothing"
        )
    inside = sum(entry.file_size for entry in listed)
    if inside > size:
        raise ValueError(f"its parts claim {inside} bytes, but the whole file has {size}")


def _names_in(pickled: bytes) -> set[str]:
    """The globals that a pickle refers to, and the opcodes in it that torch.save never writes. Nothing is executed.

    torch.load keeps a list of allowed globals itself, but that list includes a ``bytearray`` of any length.
    """
    asked = set()
    for operation, argument, _ in pickletools.genops(pickled):
        if operation.name == "GLOBAL":
            asked.add(str(argument))
        elif operation.name in ("STACK_GLOBAL", "INST", "EXT1", "EXT2", "EXT4"):
            asked.add(operation.name)
    return asked


def checked(state: object, original: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights in ``state``, if they have the names, shapes and types of ``original`` and possible values.

    Raises:
        ValueError: they do not; the message names the first such weight and the reason.
    """
    if not isinstance(state, dict):
        raise ValueError(f"expected a dictionary of weights, found {type(state).__name__}")
    if set(state) != set(original):
        strange = sorted(map(str, set(state) ^ set(original)))
        raise ValueError(
            f"expected the {len(original)} weights of the original model, found {len(state)}; the first missing or "
            f"unexpected one is {strange[0]!r}"
        )
    return {name: _checked_tensor(name, state[name], value) for name, value in original.items()}


def _checked_tensor(name: str, value: object, expected: Tensor) -> Tensor:
    """One weight. Raises ``ValueError`` if it is unlike the expected one."""
    if type(value) not in (Tensor, Parameter) or not isinstance(value, Tensor):
        raise ValueError(f"{name}: expected a tensor, found {type(value).__name__}")
    if value.layout != torch.strided or value.device.type != "cpu" or value.is_quantized:
        raise ValueError(
            f"{name}: expected a dense, unquantized tensor on the CPU, found {value.layout} {value.dtype} on "
            f"{value.device}"
        )
    if value.shape != expected.shape:
        raise ValueError(f"{name}: expected shape {tuple(expected.shape)}, found {tuple(value.shape)}")
    allowed = (torch.float32, torch.float16) if expected.is_floating_point() else (expected.dtype,)
    if value.dtype not in allowed:
        raise ValueError(f"{name}: expected {' or '.join(map(str, allowed))}, found {value.dtype}")
    last = value.ndim == 4 and value.is_contiguous(memory_format=torch.channels_last)
    if not (value.is_contiguous() or last):
        raise ValueError(f"{name}: expected a contiguous tensor, found strides {value.stride()}")
    if not torch.isfinite(value).all():
        raise ValueError(f"{name}: {int((~torch.isfinite(value)).sum())} values are NaN or infinite")
    if name.endswith("running_var") and bool((value < 0).any()):
        raise ValueError(f"{name}: a variance is negative ({float(value.min()):g})")
    value = value.detach()
    return value.float() if value.is_floating_point() else value.clone()
