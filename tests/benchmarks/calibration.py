"""``make calibration``: do intervals cover what they promise to? Measured on pools whose truth is known.

Simulated pools have Gaussian confidences. Three methods of different quality are compared with the same retrained
models. In some settings all examples are independent, in others half of their variance is common to all examples of a
model; in the last one, some unlearned models diverge. What an interval should cover is the mean score over all repeats.
Real pools, those of `make methods`, are cut into disjoint blocks, and the interval of each should cover the mean of the
others.

Repeats are kept in out/calibration, so you can stop and start it again at any moment. REPEATS=100 gives a first look.
"""

import sys
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from scoring.judging.interval import Spread, difference, parts_of_halves, quick_parts, spread_from
from scoring.judging.outputs import Identity, Outputs
from scoring.reports.files import folder_of, load_outputs
from scoring.running.machines import cores
from tests.benchmarks.variants import ROOT

KEPT = ROOT / "out/calibration"
PAGE = ROOT / "scoring/README.md"
BEGIN, END = "<!-- calibration -->\n", "<!-- end -->"

MODELS = (64, 256, 512)
EXAMPLES = (20, 100, 400)
SHARED = (0.0, 0.5)
"""The share of a confidence's variance that all examples of a model have in common."""

DIVERGED = 0.05
"""The share of unlearned models that diverge in the last setting: they answer at random."""

SETTINGS = (*((models, shared, 0.0) for models in MODELS for shared in SHARED), (64, 0.0, DIVERGED))
"""Models per pool, what examples share, and the share of diverged models."""

METHODS = {"null": (0.0, 0.0), "easy": (0.5, 0.3), "hard": (2.5, 1.0)}
"""How far confidences are moved, in standard deviations: mean and standard deviation over examples."""

PAIRS = tuple(combinations(METHODS, 2))
REPEATS = 1000
CHUNK = 20
"""Repeats that are made together, and lost together if the program is stopped."""

BLOCK = 64
"""Models of a block of a real pool."""

REAL = (("digits", 512, (0, 1, 2)),)
"""Comparisons whose pools are cut: task, models and seeds."""


def pool(confidence: NDArray[np.float64], rng: np.random.Generator) -> Outputs:
    """Outputs with these confidences, and accuracies that vary a little."""
    models = len(confidence)
    ones = np.ones(models)
    return Outputs(
        identity=Identity("simulated", 0, "none"),
        forget_confidence=confidence,
        test_confidence=np.zeros((models, 1)),
        retain_accuracy=np.clip(rng.normal(0.95, 0.01, models), 0, 1),
        forget_accuracy=ones,
        validation_accuracy=ones,
        test_accuracy=np.clip(rng.normal(0.9, 0.02, models), 0, 1),
        seconds=ones,
        retraining_seconds=ones,
        seeds=np.zeros(models, np.uint64),
    )


def pools(models: int, shared: float, diverged: float, repeat: int) -> tuple[Outputs, dict[str, Outputs]]:
    """Retrained models, and those of each method. The examples are the same in all repeats."""
    examples = max(EXAMPLES)
    fixed = np.random.default_rng(0)
    place, width = fixed.normal(0, 3, examples), fixed.uniform(0.5, 3, examples)
    sign = fixed.choice([-1, 1], examples)
    moved = {name: fixed.normal(*shift, examples) for name, shift in METHODS.items()}
    rng = np.random.default_rng([models, round(10 * shared), repeat])

    def drawn(shift: NDArray[np.float64] | float, diverged: float) -> Outputs:
        own, common = rng.normal(size=(models, examples)), rng.normal(size=(models, 1))
        noise = np.sqrt(1 - shared) * own + np.sqrt(shared) * sign * common
        outputs = pool(place + width * (shift + noise), rng)
        if not diverged:
            return outputs
        lost = rng.random(models) < diverged
        confidence = np.where(lost[:, None], rng.normal(-8, 0.1, (models, examples)), outputs.forget_confidence)
        retain, test = (np.where(lost, 0.1, accuracy) for accuracy in (outputs.retain_accuracy, outputs.test_accuracy))
        return replace(outputs, forget_confidence=confidence, retain_accuracy=retain, test_accuracy=test)

    return drawn(0.0, 0.0), {name: drawn(shift, diverged) for name, shift in moved.items()}


def repeated(models: int, shared: float, diverged: float, chunk: int) -> None:
    """Make and keep a chunk of repeats: by number of examples, value and interval of each method and of each pair."""
    path = place_of(models, shared, diverged, chunk)
    if path.exists():
        return
    found = []
    for repeat in range(chunk * CHUNK, (chunk + 1) * CHUNK):
        retrained, unlearned = pools(models, shared, diverged, repeat)
        parts = {name: quick_parts(one, retrained, retrained) for name, one in unlearned.items()}
        halves = {name: parts_of_halves(one, retrained) for name, one in unlearned.items()}
        found.append([])
        for examples in EXAMPLES:
            # The first of many examples are as good as a few drawn for themselves, and take no time.
            some = {name: spread_from(parts[name][:examples].mean(), halves[name][..., :examples]) for name in METHODS}
            found[-1].append(
                [*(of_score(some[name]) for name in METHODS), *(of_pair(some[a], some[b]) for a, b in PAIRS)]
            )
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".part")
    with unfinished.open("wb") as file:
        np.save(file, np.array(found))
    unfinished.replace(path)


def of_score(spread: Spread) -> tuple[float, float, float]:
    """A score with its interval."""
    interval = spread.interval()
    return spread.value, interval.low, interval.high


def of_pair(first: Spread, second: Spread) -> tuple[float, float, float]:
    """A difference with its interval."""
    interval = difference(first, second)
    return first.value - second.value, interval.low, interval.high


def place_of(models: int, shared: float, diverged: float, chunk: int) -> Path:
    """The file of a chunk."""
    lost = f"-{diverged:g}-diverged" if diverged else ""
    return KEPT / f"{models}-models-{shared:g}-shared{lost}" / f"{chunk}.npy"


def coverage(values: NDArray[np.float64], low: NDArray[np.float64], high: NDArray[np.float64]) -> tuple[float, float]:
    """The share of intervals that cover the mean value, and their mean width over that of an ideal interval."""
    covered = (low <= values.mean()) & (values.mean() <= high)
    return float(covered.mean()), float((high - low).mean() / (2 * 1.96 * values.std(ddof=1)))


def real_coverage() -> dict[str, tuple[float, int]]:
    """The share of intervals of blocks that cover the mean of the other blocks, and their number, by task.

    The mean of the others varies too: with B blocks an interval must be wider by the square root of B / (B - 1).
    """
    found = {}
    for task, models, seeds in REAL:
        covered = []
        for seed in seeds:
            folder = folder_of(ROOT / "out/reports", task, seed, models, "comparison")
            for path in sorted(folder.glob("*/unlearned.npz")):
                ours, theirs = load_outputs(path), load_outputs(path.with_name("retrained.npz"))
                cuts = [slice(begin, begin + BLOCK) for begin in range(0, models, BLOCK)]
                pairs = [(ours.take(cut), theirs.take(cut)) for cut in cuts]
                values = np.array([quick_parts(*pair, pair[1]).mean() for pair in pairs])
                if not values.any():
                    continue
                for pair, value in zip(pairs, values, strict=True):
                    others = (values.sum() - value) / (len(values) - 1)
                    interval = spread_from(value, parts_of_halves(*pair)).interval()
                    wider = np.sqrt(len(values) / (len(values) - 1))
                    bounds = (np.sqrt(value) + wider * (np.sqrt([interval.low, interval.high]) - np.sqrt(value))) ** 2
                    covered.append(bounds[0] <= others <= bounds[1])
        if covered:
            found[task] = float(np.mean(covered)), len(covered)
    return found


def table() -> str:
    """A row for each setting: coverage and relative width, for each method and each pair."""
    names = [*METHODS, *(f"{a} minus {b}" for a, b in PAIRS)]
    lines = [["N", "shared variance", "diverged", "F", "repeats", *names]]
    for models, shared, diverged in SETTINGS:
        chunks = sorted(place_of(models, shared, diverged, 0).parent.glob("*.npy"))
        made = np.concatenate([np.load(path) for path in chunks])
        for place, examples in enumerate(EXAMPLES):
            cells = [coverage(*made[:, place, column].T) for column in range(len(names))]
            shown = [f"{100 * share:.1f} ({width:.2f})" for share, width in cells]
            setting = [str(models), f"{100 * shared:g} %", f"{100 * diverged:g} %", str(examples), str(len(made))]
            lines.append([*setting, *shown])
    written = [f"| {' | '.join(line)} |" for line in lines]
    return "\n".join([written[0], "|" + "--:|" * len(lines[0]), *written[1:]])


def footer() -> str:
    """What the table says, and what real pools say."""
    real = [
        f"Real pools ({task}): {100 * share:.1f} % of {count} intervals of {BLOCK} models cover the mean of the others."
        for task, (share, count) in real_coverage().items()
    ]
    moved = ", ".join(f"{name} by {mean:g}" for name, (mean, _) in METHODS.items())
    said = (
        "`make calibration`. In each cell: coverage in percent, and in brackets the width over that of an ideal "
        "interval, whose width is 3.92 true standard deviations. Methods move confidences by so many of their standard "
        f"deviations, on average: {moved}."
    )
    return " ".join([said, *real])


if __name__ == "__main__":
    repeats = int(sys.argv[1]) if len(sys.argv) > 1 else REPEATS
    todo = [(*setting, chunk) for chunk in range(-(-repeats // CHUNK)) for setting in SETTINGS]
    with ProcessPoolExecutor(cores()) as workers:
        made = [workers.submit(repeated, *one) for one in todo]
        for number, one in enumerate(as_completed(made), start=1):
            one.result()
            print(f"{number} of {len(todo)} chunks", flush=True)
    page = PAGE.read_text()
    before, rest = page.split(BEGIN)
    PAGE.write_text(f"{before}{BEGIN}\n{table()}\n\n{footer()}\n\n{rest[rest.index(END) :]}")
