"""``make calibration``: do intervals cover what they promise to? Measured on pools whose truth is known.

Simulated pools have Gaussian confidences, and seeds that were not used while the way to compute intervals was chosen.
Three methods of different quality are compared with the same retrained models. In some settings all examples are
independent, in others half of their variance is common to all examples of a model; in the last one, some unlearned
models diverge. What an interval should cover is the mean score over all repeats, so every repeat is made twice: first
for its scores, then for its intervals. Real pools, those of `make methods`, are cut into disjoint blocks, and the
interval of each should cover the mean of the others.

Finished repeats are counted in results/calibration.json, so you can stop and start it again at any moment. REPEATS=100
gives a first look; more repeats later move the truth, so all intervals are then made again.
"""

import os
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from functools import partial
from itertools import combinations

import numpy as np

from scoring.judging.interval import difference, parts_of_halves, quick_parts, spread_from
from scoring.running.machines import cores
from scoring.untrusted.processes import end_with
from tests.benchmarks import kept, tally
from tests.benchmarks.blocks import BLOCK
from tests.benchmarks.record import RESULTS
from tests.benchmarks.simulated import EXAMPLES, METHODS, SETTINGS, Setting, pools
from tests.benchmarks.tally import CHUNK, Figures, Tally
from tests.benchmarks.variants import ROOT

KEPT = RESULTS / "calibration.json"
PAGE = ROOT / "scoring/README.md"
BEGIN, END = "<!-- calibration -->\n", "<!-- end -->"

PAIRS = tuple(combinations(METHODS, 2))
JUDGED = (*METHODS, *(f"{first} minus {second}" for first, second in PAIRS))
REPEATS = 1000
REAL = ("digits", (0, 1, 2), 512)
"""The comparison whose pools are cut: task, seeds and models per pool."""

IDEAL = 2 * 1.96
"""The width of an ideal interval, in true standard deviations."""

ROUNDING = 1e-9
"""A share of exactly 93% or 97% reaches the goal."""


def scores(setting: Setting, chunk: int) -> tuple[Figures, Figures]:
    """The sum of the scores and differences of a chunk of repeats, and of their squares."""
    found = []
    for repeat in range(chunk * CHUNK, (chunk + 1) * CHUNK):
        retrained, unlearned = pools(setting, repeat)
        parts = {name: quick_parts(one, retrained, retrained) for name, one in unlearned.items()}
        # The first of many examples are as good as a few drawn for themselves, and take no time.
        found.append([_with_differences([parts[name][:few].mean() for name in METHODS]) for few in EXAMPLES])
    values = np.array(found)
    return values.sum(axis=0), (values**2).sum(axis=0)


def intervals(setting: Setting, chunk: int, truth: Figures) -> tuple[Figures, Figures]:
    """How many intervals of a chunk of repeats cover the truth, and the sum of their widths."""
    covered, widths = np.zeros_like(truth), np.zeros_like(truth)
    for repeat in range(chunk * CHUNK, (chunk + 1) * CHUNK):
        retrained, unlearned = pools(setting, repeat)
        parts = {name: quick_parts(one, retrained, retrained) for name, one in unlearned.items()}
        halves = {name: parts_of_halves(one, retrained) for name, one in unlearned.items()}
        for place, few in enumerate(EXAMPLES):
            some = {name: spread_from(parts[name][:few].mean(), halves[name][..., :few]) for name in METHODS}
            found = [spread.interval() for spread in some.values()] + [difference(some[a], some[b]) for a, b in PAIRS]
            covered[place] += [one.low <= value <= one.high for one, value in zip(found, truth[place], strict=True)]
            widths[place] += [one.high - one.low for one in found]
    return covered, widths


def _with_differences(values: Sequence[float]) -> list[float]:
    """The scores of the methods, and the differences of all pairs."""
    by_name = dict(zip(METHODS, values, strict=True))
    return [*values, *(by_name[first] - by_name[second] for first, second in PAIRS)]


def table(known: dict[str, Tally]) -> str:
    """A row for each setting: coverage and relative width, for each method and each pair."""
    lines = [["N", "shared variance", "diverged", "F", "repeats", *JUDGED]]
    for setting in SETTINGS:
        found = known[setting.name]
        repeats = len(found.judged) * CHUNK
        shares, widths = found.covered / repeats, found.widths / repeats / (IDEAL * found.deviation)
        for place, examples in enumerate(EXAMPLES):
            cells = [
                f"{100 * share:.1f} ({width:.2f})" for share, width in zip(shares[place], widths[place], strict=True)
            ]
            kind = [str(setting.models), f"{100 * setting.shared:g}%", f"{100 * setting.diverged:g}%"]
            lines.append([*kind, str(examples), str(repeats), *cells])
    written = [f"| {' | '.join(line)} |" for line in lines]
    return "\n".join([written[0], "|" + "--:|" * len(lines[0]), *written[1:]])


def footer(known: dict[str, Tally]) -> str:
    """What the table says, and what real pools say."""
    moved = ", ".join(f"{mean:g} ({name})" for name, (mean, _) in METHODS.items())
    said = (
        "`make calibration`. In each cell: coverage in percent, and in brackets the width over that of an ideal "
        f"interval, whose width is {IDEAL:g} true standard deviations. On average, methods shift confidences by "
        f"{moved} standard deviations. {goal(known)}"
    )
    task, seeds, models = REAL
    counts = np.array([row.blocks for seed in seeds for row in kept.rows_in(task, seed, models).values() if row.blocks])
    if not counts.any():
        return said
    covered, blocks = counts.sum(axis=0)
    return (
        f"{said} Real pools ({task}, all rows of `make methods`, cut into blocks of {BLOCK} models): "
        f"{100 * covered / blocks:.1f}% of {blocks} intervals cover the mean of the other blocks."
    )


def goal(known: dict[str, Tally]) -> str:
    """How many cells reach the goal, where halves are not small and no model diverges."""
    found = [known[one.name] for one in SETTINGS if one.models >= 64 and not one.diverged]
    shares = np.array([one.covered / (len(one.judged) * CHUNK) for one in found])
    below, above = shares < 0.93 - ROUNDING, shares > 0.97 + ROUNDING
    reached = shares.size - below.sum() - above.sum()
    return (
        f"With 64 or more models, none of them diverging, {reached} of {shares.size} cells have a coverage of 95 ± 2%; "
        f"{below.sum()} cover less, the lowest {100 * shares.min():.1f}%, "
        f"and {above.sum()} more, the highest {100 * shares.max():.1f}%."
    )


def filled(page: str, known: dict[str, Tally]) -> str:
    """The page with this table."""
    before, rest = page.split(BEGIN)
    return f"{before}{BEGIN}\n{table(known)}\n\n{footer(known)}\n\n{rest[rest.index(END) :]}"


def kept_tallies() -> dict[str, Tally]:
    """What is known of each setting so far."""
    return tally.read(KEPT, [setting.name for setting in SETTINGS], (len(EXAMPLES), len(JUDGED)))


def add(what: str, made: dict[Future, Callable[[Figures, Figures], None]], known: dict[str, Tally]) -> None:
    """Add finished chunks to their tallies as they come, and keep them."""
    for number, one in enumerate(as_completed(made), start=1):
        made[one](*one.result())
        tally.write(KEPT, known)
        print(f"{what}: {number} of {len(made)} chunks", flush=True)


def main(repeats: int) -> None:
    """Make the repeats that are missing, and write the table."""
    chunks = range(-(-repeats // CHUNK))
    known = kept_tallies()
    with ProcessPoolExecutor(cores(), initializer=end_with, initargs=(os.getpid(),)) as workers:
        scored = {
            workers.submit(scores, setting, chunk): partial(known[setting.name].add_scores, chunk)
            for setting in SETTINGS
            for chunk in chunks
            if chunk not in known[setting.name].scored
        }
        add("scores", scored, known)
        judged = {
            workers.submit(intervals, setting, chunk, known[setting.name].truth): partial(
                known[setting.name].add_intervals, chunk
            )
            for chunk in chunks
            for setting in SETTINGS
            if chunk not in known[setting.name].judged
        }
        add("intervals", judged, known)
    PAGE.write_text(filled(PAGE.read_text(), known))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else REPEATS)
