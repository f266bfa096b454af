"""What the machine is, and the least time that its arithmetic allows."""

import platform
import statistics
import time
from pathlib import Path

import torch
from torch import nn
from torch.nn.functional import cross_entropy
from torch.utils.flop_counter import FlopCounterMode

from scoring.fused import FusedNetwork
from scoring.workers import cores
from starter_kit.batches import Examples
from starter_kit.training import Recipe

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


def name() -> str:
    """A name for the device, fit for a file."""
    device = torch.cuda.get_device_name() if DEVICE == "cuda" else f"cpu {cores()} cores"
    return device.lower().replace(" ", "-")


def processor() -> str:
    """What the system calls its processor."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def synchronize() -> None:
    """Wait until the device has done what it was given."""
    if DEVICE == "cuda":
        torch.cuda.synchronize()


def floor_seconds(net: nn.Module, examples: Examples, recipe: Recipe) -> float:
    """A training's counted arithmetic at the speed of a large matrix product on this device, all its cores.

    Kernel taps that only ever meet padding are no work.
    """
    size = recipe.batch_size
    inputs, targets = examples.inputs[:size].cpu(), examples.targets[:size].cpu()
    needed = FusedNetwork([net], inputs)
    with FlopCounterMode(display=False) as counter:
        cross_entropy(needed(inputs.unsqueeze(1)).squeeze(1), targets).backward()
    return counter.get_total_flops() * len(examples) / size * recipe.epochs / _flops_a_second()


def _flops_a_second(size: int = 2048) -> float:
    """Measured: bfloat16 on a GPU, float32 on a CPU."""
    dtype = torch.bfloat16 if DEVICE == "cuda" else torch.float32
    matrix = torch.randn(size, size, device=DEVICE, dtype=dtype)
    seconds = []
    for _ in range(10):
        synchronize()
        start = time.perf_counter()
        matrix @ matrix
        synchronize()
        seconds.append(time.perf_counter() - start)
    return 2 * size**3 / statistics.median(seconds)
