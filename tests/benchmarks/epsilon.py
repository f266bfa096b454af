"""Epsilon between 512 and 512 models. Bounds, on one core: 2,000 examples official 20 s and 1 GB, exact 2 s."""

import resource
import statistics
import time
from pathlib import Path

import numpy as np

from scoring import epsilons
from tests.benchmarks import organisers

RUNS = 3
EXAMPLES = 2000
GOLDEN = np.load(Path(__file__).parents[1] / "data/official_metric.npz")


def measure() -> dict[str, float]:
    """Median seconds, the memory peak of ours, how far from the golden values it is, and the organisers' way."""
    rng = np.random.default_rng(0)
    unlearned, retrained = rng.normal(size=(512, EXAMPLES)), rng.normal(0.2, 1.2, size=(512, EXAMPLES))
    figures = {}
    for rules in ("official", "exact"):
        seconds = []
        for _ in range(RUNS):
            start = time.perf_counter()
            found = epsilons(unlearned, retrained, rules=rules)
            seconds.append(time.perf_counter() - start)
        figures[f"{rules}_seconds"] = statistics.median(seconds)
        if rules == "official":
            official = found
    figures["peak_memory_gb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    figures["largest_golden_difference"] = max(
        float(
            np.abs(epsilons(GOLDEN[f"{case}/unlearned"], GOLDEN[f"{case}/retrained"]) - GOLDEN[f"{case}/epsilon"]).max()
        )
        for case in {key.split("/")[0] for key in GOLDEN}
    )

    seconds, differences = [], []
    for example in range(RUNS):
        start = time.perf_counter()
        theirs = organisers.epsilon(unlearned[:, example].copy(), retrained[:, example].copy())
        seconds.append(time.perf_counter() - start)
        differences.append(abs(theirs - official[example]))
    figures["organisers_seconds_an_example"] = statistics.median(seconds)
    figures["organisers_peak_memory_gb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    figures["largest_difference_from_organisers"] = max(differences)
    figures["ratio_vs_organisers"] = figures["organisers_seconds_an_example"] / (figures["official_seconds"] / EXAMPLES)
    return figures
