"""Training at the competition's scale: ResNet-18, 20,000 random pictures of 3x32x32, batches of 64, Adam, 30 epochs.

A few steps are timed, an epoch on a GPU. The time for all 512 models is extrapolated from them, and the results say so.
"""

import itertools
import statistics
import time
from dataclasses import replace

import torch

from scoring.learners.fused import train_fused
from starter_kit.examples import Examples
from tests.benchmarks import machine, organisers
from tests.benchmarks.scale import POOL, RECIPE, network, task
from tests.benchmarks.scale import STEPS as ALL_STEPS

STEPS = 313 if machine.DEVICE == "cuda" else 3
"""A whole epoch on a GPU: a short one would consist of recording a step."""

MODELS = (32, 64, 128) if machine.DEVICE == "cuda" else (2, 4)


def measure() -> dict[str, float]:
    """Milliseconds per step and model, the organisers' way and fused, and the hours of a pool that follow."""
    some = task(retained=RECIPE.batch_size * STEPS, others=2).retain.to(torch.device(machine.DEVICE))
    theirs = _organisers_ms(some)
    ours = {models: _fused_ms(some, models) for models in MODELS}
    fastest = min(ours, key=lambda models: ours[models])
    floor = machine.floor_seconds(network(), some, replace(RECIPE, epochs=1)) / STEPS * 1000
    return {
        "organisers_ms_per_step": theirs,
        **{f"fused_{models}_ms_per_step_and_model": value for models, value in ours.items()},
        "models_at_once": fastest,
        "extrapolated_organisers_hours_for_512": theirs * ALL_STEPS * POOL / 3.6e6,
        "extrapolated_fused_hours_for_512": ours[fastest] * ALL_STEPS * POOL / 3.6e6,
        "retrained_vs_organisers": theirs / ours[fastest],
        "retrained_vs_floor": ours[fastest] / floor,
        "peak_gpu_memory_gb": torch.cuda.max_memory_allocated() / 2**30 if machine.DEVICE == "cuda" else 0.0,
    }


def _organisers_ms(examples: Examples) -> float:
    """Median milliseconds per step, after two steps of warm-up."""
    net = network().to(machine.DEVICE)
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
    train_fused(network, examples, replace(RECIPE, epochs=1), range(models))
    seconds = {}
    for epochs in (1, 2):
        machine.synchronize()
        start = time.perf_counter()
        train_fused(network, examples, replace(RECIPE, epochs=epochs), range(models))
        machine.synchronize()
        seconds[epochs] = time.perf_counter() - start
    return 1000 * (seconds[2] - seconds[1]) / STEPS / models
