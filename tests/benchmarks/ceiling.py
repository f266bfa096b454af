"""Does the ceiling hold what it promises? `python -m tests.benchmarks.ceiling [TASK MODELS SEED...]`.

Retrained models are compared with retrained ones, n against n, and the ceiling of one pool against independent pairs of
pools. Without arguments the confidences are Gaussians, whose distribution is known to be the same in both pools.
"""

import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from scoring.jobs.setting import Setting
from scoring.judging.ceiling import SPLITS, band_of, halves
from scoring.judging.outputs import Identity, Outputs
from scoring.judging.score import epsilons, forgetting_quality
from scoring.running import backends
from scoring.running.pools import Pools
from scoring.running.progress import Progress
from starter_kit import tasks

DRAWS = 40
"""Pairs of pools per N."""

POOLS = 4
"""Pools per N of which a ceiling is made."""

EXAMPLES = 95
GAUSSIAN_MODELS = 1024
SIZES = (4, 8, 16, 32, 64, 128, 256, 512)

console = Console()


def gaussians(models: int, seed: int) -> Outputs:
    """Confidences of models that differ by chance alone; the examples differ in location and spread."""
    rng = np.random.default_rng(seed)
    confidence = rng.normal(rng.normal(0, 3, EXAMPLES), rng.uniform(0.5, 3, EXAMPLES), (models, EXAMPLES))
    ones = np.ones(models)
    return Outputs(
        identity=Identity("gaussians", seed, "none"),
        forget_confidence=confidence,
        test_confidence=np.zeros((models, 2)),
        retain_accuracy=ones,
        forget_accuracy=ones,
        validation_accuracy=ones,
        test_accuracy=ones,
        seconds=ones,
        retraining_seconds=ones,
        seeds=np.arange(models, dtype=np.uint64),
    )


def retrained(task: str, models: int, seed: int) -> Outputs:
    """Retrained models of a task, kept in the usual store."""
    setting = Setting(tasks.load(task), "cpu", seed)
    pools = Pools(setting, Path("out/store"), backends.load("processes"), None, Progress(Console(stderr=True)))
    return pools.retrained(models)


def score_of(unlearned: Outputs, retrained: Outputs) -> float:
    """The score by the official rules alone, which is what the ceiling is made of."""
    epsilon = epsilons(unlearned.forget_confidence, retrained.forget_confidence)
    retain, test = (
        getattr(unlearned, name).mean() / getattr(retrained, name).mean()
        for name in ("retain_accuracy", "test_accuracy")
    )
    return forgetting_quality(epsilon, len(unlearned)) * float(retain) * float(test)


def pair_scores(pool: Outputs, size: int) -> NDArray[np.float64]:
    """Scores of random disjoint pairs of ``size`` models."""
    rng = np.random.default_rng(size)
    orders = [rng.permutation(len(pool)) for _ in range(DRAWS)]
    return np.array([score_of(pool.take(order[:size]), pool.take(order[size : 2 * size])) for order in orders])


def split_scores(pool: Outputs, size: int) -> NDArray[np.float64]:
    """[pools, splits] scores of the halves of disjoint pools of ``size`` models, of which each makes a ceiling."""
    starts = range(0, len(pool) - size + 1, size)[:POOLS]
    pools = [pool.take(slice(start, start + size)) for start in starts]
    return np.array([[score_of(*halves(one, split)) for split in range(SPLITS)] for one in pools])


def table_of(name: str, pool: Outputs) -> Table:
    """What single pairs and ceilings of pools of N models say, for growing N."""
    table = Table(title=f"{name}: {len(pool)} retrained models")
    for heading in ("N", "pairs, N against N", "sd", "ceiling of N", "sd between pools", "pairs in the band"):
        table.add_column(heading, justify="right")
    for size in (size for size in SIZES if 2 * size <= len(pool)):
        pairs, splits = pair_scores(pool, size), split_scores(pool, size)
        ceilings = splits.mean(axis=1)
        bands = [band_of(one) for one in splits.tolist()]
        inside = np.mean([((pairs >= low) & (pairs <= high)).mean() for low, high in bands])
        cells = [pairs.mean(), pairs.std(ddof=1), ceilings.mean(), ceilings.std(ddof=1)]
        table.add_row(str(size), *(f"{cell:.4f}" for cell in cells), f"{inside:.2f}")
    return table


if __name__ == "__main__":
    if len(sys.argv) > 1:
        task, models, *seeds = sys.argv[1:]
        for seed in map(int, seeds or ["0"]):
            console.print(table_of(f"{task}, seed {seed}", retrained(task, int(models), seed)))
    else:
        for seed in range(3):
            console.print(table_of(f"Gaussians, seed {seed}", gaussians(GAUSSIAN_MODELS, seed)))
