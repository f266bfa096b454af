"""Training on digits: the organisers' way, the definition, and the ways to train many models at once."""

import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from scipy.stats import ks_2samp
from torch import func
from torch.nn.functional import cross_entropy

from scoring.jobs.retrained import RetrainedJob
from scoring.jobs.setting import Setting
from scoring.judging.outputs import Identity, Outputs
from scoring.learners.fused import train_fused
from scoring.learners.recipe import RecipeLearner
from scoring.running import backends
from scoring.running.machines import cores, gpus
from scoring.running.pools import Pools
from scoring.running.progress import Progress
from scoring.untrusted.submission import read
from starter_kit import tasks
from starter_kit.task import Task
from starter_kit.training import train
from tests.benchmarks import machine, organisers

TASK = tasks.load("digits")
GROWTH = (1, 8, 32, 128, 512)
ROUNDS = 3
AGREEMENT_MODELS = 128


def measure() -> dict[str, float]:
    """Seconds per model for each way, models per hour by numbers of models and workers, and agreement of the pools."""
    figures = {**_ways(), **_growth(), **_unlearning()}
    best = 3600 / figures[f"models_per_hour_{GROWTH[-1]}"]
    theirs = figures["organisers_seconds_per_model"] + figures["organisers_answers_seconds_per_model"]
    figures["retrained_vs_organisers"] = theirs / best
    figures["retrained_vs_floor"] = best / machine.floor_seconds(TASK.network(), TASK.retain, TASK.recipe)
    return figures | _agreement()


def _seconds(do: Callable[[], object]) -> float:
    machine.synchronize()
    start = time.perf_counter()
    do()
    machine.synchronize()
    return time.perf_counter() - start


def _ways() -> dict[str, float]:
    """Medians over rounds, with every way once per round. One epoch is timed and multiplied."""
    device = torch.device(machine.DEVICE)
    task = TASK.to(device)
    recipe = replace(task.recipe, epochs=1)
    dicts = organisers.loader_of_dicts(task.retain)
    validation = organisers.loader_of_dicts(task.validation)
    all_dicts = [organisers.loader_of_dicts(examples) for examples in task.sets.values()]
    threads = torch.get_num_threads()

    def theirs() -> None:
        torch.set_num_threads(threads)
        organisers.epoch(task.network().to(device), dicts, validation, device)
        torch.set_num_threads(1)

    def their_answers() -> None:
        torch.set_num_threads(threads)
        organisers.answers(task.network().to(device), all_dicts, device)
        torch.set_num_threads(1)

    def alone() -> None:
        train(task.network().to(device), task.retain, recipe)

    def fused(models: int) -> None:
        train_fused(task.network, task.retain, recipe, range(models))

    ways: dict[str, tuple[int, Callable[[], None]]] = {
        "organisers": (1, theirs),
        "alone_one_thread": (1, alone),
        "vmap_8_one_thread": (8, partial(_vmap_epoch, task, 8)),
        **{f"grouped_{models}_one_thread": (models, partial(fused, models)) for models in (2, 4, 8, 16, 32)},
    }
    torch.set_num_threads(1)
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, (models, way) in ways.items():
            seconds[name].append(task.recipe.epochs * _seconds(way) / models)
    figures = {f"{name}_seconds_per_model": statistics.median(values) for name, values in seconds.items()}
    # Includes training 32 models at once.
    figures["peak_memory_gb"] = machine.peak_memory_gb()
    figures["organisers_answers_seconds_per_model"] = statistics.median(_seconds(their_answers) for _ in range(ROUNDS))
    torch.set_num_threads(threads)
    return figures


def _vmap_epoch(task: Task, models: int) -> None:
    """An epoch of many models by `torch.func`, the general way that grouped convolutions are compared with."""
    networks = [task.network().to(machine.DEVICE).train() for _ in range(models)]
    parameters, buffers = func.stack_module_state(networks)
    optimizer = torch.optim.SGD(parameters.values(), task.recipe.learning_rate, 0.9, weight_decay=5e-4)
    skeleton = networks[0]

    def loss_of(one: dict, of_norms: dict, inputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        return cross_entropy(func.functional_call(skeleton, (one, of_norms), (inputs,)), targets)

    for index in torch.stack([torch.randperm(len(task.retain)) for _ in networks]).split(64, dim=1):
        inputs, targets = task.retain.take(index.flatten())
        gradients = func.vmap(func.grad(loss_of))(
            parameters, buffers, inputs.unflatten(0, index.shape), targets.unflatten(0, index.shape)
        )
        for name, parameter in parameters.items():
            parameter.grad = gradients[name]
        optimizer.step()


def _pools(folder: str, workers: int | None) -> Pools:
    quiet = Progress(Console(stderr=True, quiet=True))
    return Pools(Setting(TASK, machine.DEVICE, 0), Path(folder), backends.load("processes"), workers, quiet)


def _growth() -> dict[str, float]:
    """Whole pools, from the start of the workers to rows on disk."""
    figures = {f"models_per_hour_{models}": _hourly(models, None) for models in GROWTH}
    return figures | {f"models_per_hour_64_with_{workers}_workers": _hourly(64, workers) for workers in (1, 2, 4)}


def _hourly(models: int, workers: int | None) -> float:
    """Retrained models per hour, for a pool of this size and an empty store."""
    with tempfile.TemporaryDirectory() as folder:
        pools = _pools(folder, workers)
        return 3600 * models / _seconds(lambda: pools.retrained(models))


def _unlearning(models: int = 64) -> dict[str, float]:
    """A submission's pool: by our workers, and one run after the other in this process with all its threads."""
    submission = read(Path("submissions/finetune.py"))
    with tempfile.TemporaryDirectory() as folder:
        pools = _pools(folder, None)
        original = pools.original
        ours = _seconds(lambda: pools.unlearned(submission, models)) / models
    device = torch.device(machine.DEVICE)
    task = TASK.to(device)
    sets = {name: organisers.loader_of_dicts(examples) for name, examples in task.sets.items()}

    def sequential() -> None:
        net = task.network().to(device)
        net.load_state_dict(original.weights)
        organisers.epoch(net, sets["retain"], sets["validation"], device)
        organisers.answers(net, list(sets.values()), device)

    theirs = statistics.median(_seconds(sequential) for _ in range(5))
    return {
        "unlearned_seconds_per_model": ours,
        "unlearned_sequential_seconds_per_model": theirs,
        "unlearned_vs_sequential": theirs / ours,
    }


def _agreement() -> dict[str, float]:
    """Whether models trained together and models trained one at a time have outputs of the same distribution."""
    fused = _outputs(Setting(TASK, machine.DEVICE, 1))
    alone = _outputs(Setting(TASK, machine.DEVICE, 2, recipe=OneAtATime()))
    confidences = zip(fused.forget_confidence.T, alone.forget_confidence.T, strict=True)
    p_values = np.array([ks_2samp(*pair).pvalue for pair in confidences])
    accuracies = fused.test_accuracy, alone.test_accuracy
    spread = sum(values.var(ddof=1) / AGREEMENT_MODELS for values in accuracies) ** 0.5
    return {
        "agreement_share_of_examples_with_ks_p_below_5_percent": float((p_values < 0.05).mean()),
        "agreement_smallest_ks_p_times_examples": float(p_values.min() * len(p_values)),
        "agreement_test_accuracy_difference_in_standard_errors": float(
            (accuracies[0].mean() - accuracies[1].mean()) / spread
        ),
    }


@dataclass(frozen=True)
class OneAtATime(RecipeLearner):
    """The recipe's learner, but every model is trained by itself, as training is defined."""

    def group_size(self, task: Task, device: str) -> int:
        """One model per unit of work, which is then trained by itself."""
        return 1


def _outputs(setting: Setting, models: int = AGREEMENT_MODELS) -> Outputs:
    """The outputs of a retrained pool that is not stored."""
    job = RetrainedJob(setting)
    rows = dict(backends.load("processes").run(job, range(models // job.size), gpus(machine.DEVICE) or cores()))
    return Outputs.of_rows(Identity(TASK.name, setting.seed, "none"), [rows[unit] for unit in sorted(rows)], models)
