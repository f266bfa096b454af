"""The machine: its name, a clock, its peaks, and the lower bound that they set on the time of training."""

import platform
import resource
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.utils.flop_counter import FlopCounterMode

from scoring.learners.fused import FusedNetwork
from scoring.running.machines import cores
from starter_kit.examples import Examples
from starter_kit.training import Recipe

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"

PRECISIONS = ("bfloat16", "tf32", "float32") if DEVICE == "cuda" else ("float32",)

LARGE_PRODUCT = 8192 if DEVICE == "cuda" else 2048
"""Rows of a square matrix. A product of 2048 takes a GPU as little time as the launch of it."""

LARGE_COPY = 2**28 if DEVICE == "cuda" else 2**25
"""Numbers."""

BYTES_OF_A_STEP = {"adam": 40, "sgd": 32}
"""Per float32 weight. Forward and backward read it once each and write its gradient. The optimizer, in a single pass,
reads weight, gradient and one or two moments, and writes all but the gradient."""

PASSES_OVER_ACTIVATIONS = 4
"""At least: each is written and read forward, and its gradient is written and read backward."""


def name() -> str:
    """The device's name, usable as a file name."""
    device = torch.cuda.get_device_name() if DEVICE == "cuda" else f"cpu {cores()} cores"
    return device.lower().replace(" ", "-")


def synchronize() -> None:
    """Wait until the device has finished its work."""
    if DEVICE == "cuda":
        torch.cuda.synchronize()


def milliseconds(do: Callable[[], object], repeats: int = 9) -> float:
    """The median time of a call, by the GPU's own clock where there is one, after two calls that do not count."""
    for _ in range(2):
        do()
    synchronize()
    times = []
    for _ in range(repeats):
        if DEVICE == "cuda":
            start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            start.record()
            do()
            end.record()
            end.synchronize()
            times.append(start.elapsed_time(end))
        else:
            begun = time.perf_counter()
            do()
            times.append(1000 * (time.perf_counter() - begun))
    return statistics.median(times)


def peak_memory_gb() -> float:
    """The peak of this process's resident memory so far, in GiB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Linux counts KiB, macOS counts bytes.
    return peak / (2**30 if platform.system() == "Darwin" else 2**20)


def measure() -> dict[str, float]:
    """Operations per second of a large matrix product by precision, and bytes per second of a large copy."""
    figures = {f"{one}_tflops": flops_per_second(one) / 1e12 for one in PRECISIONS}
    return figures | {"copy_tb_per_s": bytes_per_second() / 1e12}


def floor_seconds(net: nn.Module, examples: Examples, recipe: Recipe) -> float:
    """The least time that training a model can take on all of this device, in seconds, if nothing but it limited us.

    The counted operations at the speed of a large matrix product. On a GPU, if that takes longer, the bytes that must
    move at the speed of a large copy; a CPU's caches may hold them. Kernel taps that only ever meet padding do not
    count.
    """
    size = recipe.batch_size
    inputs, targets = examples.inputs[:size].cpu(), examples.targets[:size].cpu()
    needed = FusedNetwork([net], inputs)
    with FlopCounterMode(display=False) as counter, _activations(needed) as activations:
        cross_entropy(needed(inputs.unsqueeze(1)).squeeze(1), targets).backward()
    steps = len(examples) / size * recipe.epochs
    arithmetic = steps * counter.get_total_flops() / flops_per_second(PRECISIONS[0])
    if DEVICE == "cpu":
        return arithmetic
    weights = sum(weight.numel() for weight in needed.parameters())
    moved = BYTES_OF_A_STEP[recipe.optimizer] * weights + 4 * PASSES_OVER_ACTIVATIONS * sum(activations)
    return max(arithmetic, steps * moved / bytes_per_second())


@contextmanager
def _activations(net: nn.Module) -> Iterator[list[int]]:
    """How many numbers each layer puts out."""
    found: list[int] = []

    def note(_module: nn.Module, _inputs: tuple, output: Tensor) -> None:
        found.append(output.numel())

    layers = [module for module in net.modules() if not any(module.children())]
    hooks = [layer.register_forward_hook(note) for layer in layers]
    yield found
    for hook in hooks:
        hook.remove()


def flops_per_second(precision: str) -> float:
    """Of a large matrix product."""
    dtype = torch.bfloat16 if precision == "bfloat16" else torch.float32
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high" if precision == "tf32" else "highest")
    matrix = torch.randn(LARGE_PRODUCT, LARGE_PRODUCT, device=DEVICE, dtype=dtype)
    seconds = milliseconds(lambda: matrix @ matrix) / 1000
    torch.set_float32_matmul_precision(before)
    return 2 * LARGE_PRODUCT**3 / seconds


def bytes_per_second() -> float:
    """Read and written by a large copy."""
    numbers = torch.zeros(LARGE_COPY, device=DEVICE)
    copy = torch.empty_like(numbers)
    return 2 * numbers.nbytes / milliseconds(lambda: copy.copy_(numbers)) * 1000
