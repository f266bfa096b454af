"""The weights in a file that someone else wrote. Nothing is unpickled, and nothing else is accepted."""

import math
from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import Parameter

from scoring.untrusted.names import quoted
from scoring.untrusted.pth_file import tensors_in_pth
from scoring.untrusted.safetensors_file import tensors_in_safetensors


def weights_in_file(content: bytes, original: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights in the bytes of a ``.pth``: integers keep their type, floating point numbers become float32.

    Args:
        content: the whole file.
        original: weights with the expected names, shapes and types.

    Raises:
        ValueError: torch.save did not write the file, or its weights are unlike ``original``. The message says why.
    """
    try:
        state = tensors_in_pth(content, _most(original))
    except ValueError as error:
        raise ValueError(
            f"{error}. Save it with torch.save(net.state_dict(), ...), or better with "
            "safetensors.torch.save_file(net.state_dict(), ...) and the ending .safetensors"
        ) from error
    return checked(state, original)


def weights_in_safetensors(content: bytes, original: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights in the bytes of a ``.safetensors`` file, under the same conditions as those in a ``.pth``.

    Args:
        content: the whole file.
        original: weights with the expected names, shapes and types.

    Raises:
        ValueError: it is not such a file, or its weights are unlike ``original``. The message says why.
    """
    return checked(tensors_in_safetensors(content, _most(original)), original)


def _most(original: Mapping[str, Tensor]) -> int:
    """The number of weights up to which a file is read. Those of a somewhat larger network are worth a sentence."""
    return 2 * len(original) + 200


def checked(state: object, original: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights in ``state``, if they have the names, shapes and types of ``original`` and possible values.

    Raises:
        ValueError: they do not; the message names the first such weight and the reason.
    """
    if not isinstance(state, dict):
        raise ValueError(f"expected a dictionary of weights, found {type(state).__name__}")
    if set(state) != set(original):
        strange = sorted(set(state) ^ set(original))
        raise ValueError(
            f"expected the {len(original)} weights of the original model, found {len(state)}; the first missing or "
            f"unexpected one is {quoted(strange[0])}"
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
    _check_values(name, value.detach())
    # A copy, so that no two weights share memory, and none keeps that of a larger file.
    return value.detach().to(torch.float32 if value.is_floating_point() else value.dtype, copy=True)


def _check_values(name: str, value: Tensor) -> None:
    """Raise ``ValueError`` if a value cannot come from training."""
    if not value.numel():
        return
    # One pass over the numbers, where isfinite takes several; NaN comes through as both.
    least, most = (bound.item() for bound in value.aminmax())
    if not (math.isfinite(least) and math.isfinite(most)):
        raise ValueError(f"{name}: {int((~torch.isfinite(value)).sum())} values are NaN or infinite")
    if name.endswith("running_var") and least < 0:
        raise ValueError(f"{name}: a variance is negative ({least:g})")
    if name.endswith("num_batches_tracked") and least < 0:
        raise ValueError(f"{name}: a count is negative ({least})")
