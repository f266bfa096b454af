"""A training step of many ResNet-18, by setting and by the number of models. The default settings are the kit's."""

import gc
import time
import warnings
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.profiler import ProfilerActivity, profile

from scoring.learners.fused import FusedNetwork
from scoring.learners.fused.recording import WARM_UP, RecordedSteps, gpu_for_training
from starter_kit.answers import loss
from starter_kit.examples import Examples
from starter_kit.training import optimizer_of
from tests.benchmarks import machine, scale

MODELS, OTHER_NUMBERS = (32, (1, 8, 64, 128)) if machine.DEVICE == "cuda" else (2, (1,))
KERNELS = 15
"""The slowest of a step, which are reported."""


@dataclass(frozen=True)
class Settings:
    """What may be switched."""

    adam: Literal["fused", "foreach"] = "fused"
    layout: Literal["channels last", "contiguous"] = "channels last"
    precision: Literal["tf32", "bfloat16", "float32"] = "tf32"
    benchmark: bool = True
    recorded: bool = machine.DEVICE == "cuda"


VARIANTS = {
    "as built": Settings(),
    "launched": Settings(recorded=False),
    "Adam in several passes": Settings(adam="foreach"),
    "contiguous": Settings(layout="contiguous"),
    "without TF32": Settings(precision="float32"),
    "kernels by heuristics": Settings(benchmark=False),
    "bfloat16": Settings(precision="bfloat16"),
    "bfloat16, contiguous": Settings(precision="bfloat16", layout="contiguous"),
}


def findings(seconds: float) -> Iterator[dict[str, object]]:
    """Milliseconds per step and model, and memory: every variant, then the kit's settings with other numbers."""
    examples = scale.task(retained=32 * scale.RECIPE.batch_size, others=2).retain.to(torch.device(machine.DEVICE))
    for name, settings in VARIANTS.items():
        yield {f"{name}, {MODELS} models": _measured(settings, MODELS, examples)}
    yield {f"kernels of a step, {MODELS} models, ms": _kernels(examples)}
    for models in OTHER_NUMBERS:
        yield {f"as built, {models} models": _measured(Settings(), models, examples)}


def _measured(settings: Settings, models: int, examples: Examples) -> dict[str, float] | str:
    try:
        return measured(settings, models, examples)
    except RuntimeError as error:
        return f"{type(error).__name__}: {error}"[:300]
    finally:
        gc.collect()
        if machine.DEVICE == "cuda":
            torch.cuda.empty_cache()


def measured(settings: Settings, models: int, examples: Examples) -> dict[str, float]:
    """A step's milliseconds per model, what a pool of 512 would take, memory, and the seconds before the first one."""
    device = torch.device(machine.DEVICE)
    if machine.DEVICE == "cuda":
        torch.cuda.reset_peak_memory_stats()
    begun = time.perf_counter()
    with gpu_for_training(device):
        torch.backends.cudnn.benchmark = settings.benchmark
        torch.backends.cudnn.allow_tf32 = settings.precision == "tf32"
        torch.set_float32_matmul_precision("high" if settings.precision == "tf32" else "highest")
        step = _Step(settings, models, examples)
        advance = RecordedSteps(step) if settings.recorded else step.several
        advance([step.rows] * (WARM_UP + 1))
        machine.synchronize()
        ready = time.perf_counter() - begun
        each = machine.milliseconds(lambda: advance([step.rows])) / models
    torch.backends.cudnn.allow_tf32 = True
    return {
        "ms_per_step_and_model": each,
        "extrapolated_minutes_for_512": each * scale.STEPS * scale.POOL / 60_000,
        "seconds_until_ready": ready,
        "peak_gb": torch.cuda.max_memory_allocated() / 2**30 if machine.DEVICE == "cuda" else 0.0,
    }


class _Step:
    """A step of K models, each on 64 examples of its own."""

    def __init__(self, settings: Settings, models: int, examples: Examples) -> None:
        self.settings, self.examples, self.models = settings, examples, models
        # One network serves as all: its weights take no time either.
        self.fused = FusedNetwork([scale.network()] * models, examples.inputs[:2].cpu()).to(machine.DEVICE).train()
        if settings.adam == "fused":
            self.optimizer = optimizer_of(scale.RECIPE, self.fused.parameters())
        else:
            capturable = machine.DEVICE == "cuda"
            self.optimizer = torch.optim.Adam(self.fused.parameters(), 1e-4, foreach=True, capturable=capturable)
        self.rows = torch.randint(len(examples), (scale.RECIPE.batch_size, models), device=machine.DEVICE)

    def __call__(self, rows: Tensor) -> None:
        inputs, targets = self.examples.take(rows.flatten())
        self.optimizer.zero_grad()
        inputs = inputs.unflatten(0, rows.shape)
        bfloat16 = self.settings.precision == "bfloat16"
        with torch.autocast(machine.DEVICE, torch.bfloat16, cache_enabled=False) if bfloat16 else nullcontext():
            if self.settings.layout == "contiguous":
                logits = self.fused.network(inputs.flatten(1, 2)).unflatten(1, (self.models, -1))
            else:
                logits = self.fused(inputs)
        loss(logits.flatten(0, 1).float(), targets, None, models=self.models).backward()
        self.optimizer.step()

    def several(self, batches: list[Tensor]) -> None:
        """Launched steps."""
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="This instance was constructed with capturable=True")
            for rows in batches:
                self(rows)


def _kernels(examples: Examples) -> dict[str, float]:
    """The slowest kernels of a launched step with the kit's settings."""
    on_gpu = machine.DEVICE == "cuda"
    kind, took_by = (ProfilerActivity.CUDA, "device") if on_gpu else (ProfilerActivity.CPU, "cpu")
    with gpu_for_training(torch.device(machine.DEVICE)):
        step = _Step(Settings(), MODELS, examples)
        step.several([step.rows] * WARM_UP)
        machine.synchronize()
        with profile(activities=[kind]) as seen:
            step.several([step.rows])
            machine.synchronize()
    took = {
        f"{event.key[:90]} x {event.count}": getattr(event, f"self_{took_by}_time_total")
        for event in seen.key_averages()
    }
    slowest = sorted(took, key=lambda name: -took[name])[:KERNELS]
    return {"all": sum(took.values()) / 1000, **{name: took[name] / 1000 for name in slowest}}
