"""The machine, and the lower bound that its arithmetic sets on the time of training."""

import platform
import resource
import statistics
import time

import torch
from torch import nn
from torch.nn.functional import cross_entropy
from torch.utils.flop_counter import FlopCounterMode

from scoring.learners.fused import FusedNetwork
from scoring.running.workers import cores
from starter_kit.examples import Examples
from starter_kit.training import Recipe

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


def name() -> str:
    """The device's name, usable as a file name."""
    device = torch.cuda.get_device_name() if DEVICE == "cuda" else f"cpu {cores()} cores"
    return device.lower().replace(" ", "-")


def synchronize() -> None:
    """Wait until the device has finished its work."""
    if DEVICE == "cuda":
        torch.cuda.synchronize()


def peak_memory_gb() -> float:
    """The peak of this process's resident memory so far, in GiB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Linux counts KiB, macOS counts bytes.
    return peak / (2**30 if platform.system() == "Darwin" else 2**20)


def floor_seconds(net: nn.Module, examples: Examples, recipe: Recipe) -> float:
    """A training's counted arithmetic at the speed of a large matrix product on all cores of this device, in seconds.

    Kernel taps that only ever meet padding do not count.
    """
    size = recipe.batch_size
    inputs, targets = examples.inputs[:size].cpu(), examples.targets[:size].cpu()
    needed = FusedNetwork([net], inputs)
    with FlopCounterMode(display=False) as counter:
        cross_entropy(needed(inputs.unsqueeze(1)).squeeze(1), targets).backward()
    return counter.get_total_flops() * len(examples) / size * recipe.epochs / _flops_per_second()


def _flops_per_second(size: int = 2048) -> float:
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
