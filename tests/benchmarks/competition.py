"""Training at the competition's scale: ResNet-18, 20,000 random pictures of 3x32x32, batches of 64, Adam, 30 epochs.

A few steps are timed. The time for all 512 models is extrapolated from them, and named so in the results.
"""

import itertools
import statistics
import time
from dataclasses import replace

import torch
from torchvision.models import resnet18

from scoring.learners.fused import train_fused
from starter_kit.examples import Examples
from starter_kit.training import Recipe
from tests.benchmarks import machine, organisers

EXAMPLES = 20_000
RECIPE = Recipe("adam", epochs=30, batch_size=64, learning_rate=1e-4, weight_decay=5e-3)
STEPS = 40 if machine.DEVICE == "cuda" else 3
MODELS = (8, 16, 32) if machine.DEVICE == "cuda" else (2, 4)
POOL = 512


def _pictures(size: int) -> Examples:
    numbers = torch.arange(size)
    examples = Examples(torch.rand(size, 3, 32, 32) * 255, torch.randint(10, (size,)), numbers, numbers)
    return examples.to(torch.device(machine.DEVICE))


def _network() -> torch.nn.Module:
    return resnet18(num_classes=10)


def measure() -> dict[str, float]:
    """Milliseconds per step and model, the organisers' way and fused, and the hours of a pool that follow."""
    some = _pictures(RECIPE.batch_size * STEPS)
    theirs = _organisers_ms(some)
    ours = {models: _fused_ms(some, models) for models in MODELS}
    fastest = min(ours, key=lambda models: ours[models])
    steps = RECIPE.epochs * -(-EXAMPLES // RECIPE.batch_size)
    floor = machine.floor_seconds(_network(), some, replace(RECIPE, epochs=1)) / STEPS * 1000
    return {
        "organisers_ms_per_step": theirs,
        **{f"fused_{models}_ms_per_step_and_model": value for models, value in ours.items()},
        "models_at_once": fastest,
        "extrapolated_organisers_hours_for_512": theirs * steps * POOL / 3.6e6,
        "extrapolated_fused_hours_for_512": ours[fastest] * steps * POOL / 3.6e6,
        "retrained_vs_organisers": theirs / ours[fastest],
        "retrained_vs_floor": ours[fastest] / floor,
        "peak_gpu_memory_gb": torch.cuda.max_memory_allocated() / 2**30 if machine.DEVICE == "cuda" else 0.0,
    }


def _organisers_ms(examples: Examples) -> float:
    """Median milliseconds per step, after two steps of warm-up."""
    net = _network().to(machine.DEVICE)
    loader = organisers.loader_of_dicts(examples)
    seconds = []
    training = itertools.chain.from_iterable(
        organisers.steps(net, loader, torch.device(machine.DEVICE)) for _ in range(3)
    )
    for _ in range(STEPS + 2):
        start = time.perf_counter()
        next(training)
        machine.synchronize()
        seconds.append(time.perf_counter() - start)
    return 1000 * statistics.median(seconds[2:])


def _fused_ms(examples: Examples, models: int) -> float:
    """Milliseconds per step and model: the time of a second epoch, so that set-up does not count."""
    train_fused(_network, examples, replace(RECIPE, epochs=1), range(models))
    seconds = {}
    for epochs in (1, 2):
        machine.synchronize()
        start = time.perf_counter()
        train_fused(_network, examples, replace(RECIPE, epochs=epochs), range(models))
        machine.synchronize()
        seconds[epochs] = time.perf_counter() - start
    return 1000 * (seconds[2] - seconds[1]) / STEPS / models
