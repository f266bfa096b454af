"""Epsilon of 2,000 examples between 512 and 512 models, on one core. Bounds: official 20 s and 1 GB, exact 2 s."""

import resource
import statistics
import time
from pathlib import Path

import numpy as np

from scoring import epsilons

RUNS = 3
GOLDEN = np.load(Path(__file__).parents[1] / "data/official_metric.npz")


def measure() -> dict[str, float]:
    """Median seconds of several runs, the memory peak, and how far from the golden values the same code is."""
    rng = np.random.default_rng(0)
    unlearned, retrained = rng.normal(size=(512, 2000)), rng.normal(0.2, 1.2, size=(512, 2000))
    figures = {}
    for rules in ("official", "exact"):
        seconds = []
        for _ in range(RUNS):
            start = time.perf_counter()
            epsilons(unlearned, retrained, rules=rules)
            seconds.append(time.perf_counter() - start)
        figures[f"{rules}_seconds"] = statistics.median(seconds)
    figures["peak_memory_gb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    figures["largest_golden_difference"] = max(
        float(
            np.abs(epsilons(GOLDEN[f"{case}/unlearned"], GOLDEN[f"{case}/retrained"]) - GOLDEN[f"{case}/epsilon"]).max()
        )
        for case in {key.split("/")[0] for key in GOLDEN}
    )
    return figures
