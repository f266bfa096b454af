"""Epsilon of 2,000 examples, 512 models per pool. Bounds on one core: official 20 s and 1 GB, strongest 2 s."""

import statistics
import time
from pathlib import Path

import numpy as np

from scoring import epsilons
from tests.benchmarks import machine, organisers

RUNS = 3
EXAMPLES = 2000
GOLDEN = np.load(Path(__file__).parents[1] / "data/official_metric.npz")


def measure() -> dict[str, float]:
    """Our median seconds, memory peak and distance from the golden values, and the same for the organisers' way."""
    rng = np.random.default_rng(0)
    unlearned, retrained = rng.normal(size=(512, EXAMPLES)), rng.normal(0.2, 1.2, size=(512, EXAMPLES))
    figures = {}
    for rules in ("official", "strongest"):
        seconds = []
        for _ in range(RUNS):
            start = time.perf_counter()
            found = epsilons(unlearned, retrained, rules=rules)
            seconds.append(time.perf_counter() - start)
        figures[f"{rules}_seconds"] = statistics.median(seconds)
        if rules == "official":
            official = found
    figures["peak_memory_gb"] = machine.peak_memory_gb()
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
    figures["organisers_seconds_per_example"] = statistics.median(seconds)
    figures["organisers_peak_memory_gb"] = machine.peak_memory_gb()
    figures["largest_difference_from_organisers"] = max(differences)
    figures["ratio_vs_organisers"] = figures["organisers_seconds_per_example"] / (
        figures["official_seconds"] / EXAMPLES
    )
    return figures
