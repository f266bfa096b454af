"""The global settings of torch, which code of others may change in a process that goes on to run more of it."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch

Settings = list[tuple[Callable[[], Any], Callable[[Any], Any]]]
"""Pairs of a function that reads a setting and one that sets it to such a value."""


def remembered() -> Callable[[], None]:
    """A function that sets everything back to what it is now."""
    before = [(write, read()) for read, write in _settings()]

    def restore() -> None:
        for write, value in before:
            write(value)
        torch.clear_autocast_cache()

    return restore


def _settings() -> Settings:
    """How to read and write each of them."""
    found: Settings = [
        (torch.get_num_threads, torch.set_num_threads),
        (torch.is_grad_enabled, torch.set_grad_enabled),
        (torch.get_default_dtype, torch.set_default_dtype),
        # None is torch's own default. The kit sets none, and to set the CPU would slow every operation down.
        (lambda: None, torch.set_default_device),
        (torch.get_float32_matmul_precision, torch.set_float32_matmul_precision),
        (torch.get_deterministic_debug_mode, torch.set_deterministic_debug_mode),
        (torch.is_autocast_cache_enabled, torch.set_autocast_cache_enabled),
        (torch.is_anomaly_enabled, torch.autograd.set_detect_anomaly),
    ]
    for module, names in {
        torch.backends.cudnn: ("enabled", "benchmark", "deterministic", "allow_tf32"),
        torch.backends.cuda.matmul: (
            "allow_fp16_reduced_precision_reduction",
            "allow_bf16_reduced_precision_reduction",
        ),
        torch.backends.mkldnn: ("enabled",),
    }.items():
        found += [(partial(getattr, module, name), partial(setattr, module, name)) for name in names]
    for kind in ("cpu", "cuda"):
        found += [
            (partial(torch.is_autocast_enabled, kind), partial(torch.set_autocast_enabled, kind)),
            (partial(torch.get_autocast_dtype, kind), partial(torch.set_autocast_dtype, kind)),
        ]
    if torch.cuda.is_initialized():
        found += [
            (torch.cuda.current_device, torch.cuda.set_device),
            (torch.cuda.current_stream, torch.cuda.set_stream),
            (torch.cuda.get_per_process_memory_fraction, torch.cuda.set_per_process_memory_fraction),
        ]
    return found
