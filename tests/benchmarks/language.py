"""``make language``: judge the methods that run on text, with tuned and with published constants, for tables.

What is stored is not made again, so it can be stopped and started at any moment.
"""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from scoring.cli.pools import backend_of, pools_of
from scoring.compare import compare_on_seeds
from scoring.reports import comparison
from scoring.reports.language import with_tables
from starter_kit.contract import brings_learning
from tests.benchmarks.variants import ROOT, SUBMISSIONS, Variant

REPORTS = ROOT / "out/reports/language"
PAGE = SUBMISSIONS / "README.md"
SEEDS, MODELS = (0, 1, 2), 128
HAZARDS, CONCEPT = 128, 64

PUBLISHED = (
    Variant("dpo_dont_know_published", "dpo_dont_know", {"BETA": 0.1}),
    Variant("grad_diff_published", "grad_diff", {"FORGET_WEIGHT": 1.0}),
    Variant("npo_published", "npo", {"BETA": 0.1, "RETAIN_WEIGHT": 1.0}),
    Variant("rmu_published", "rmu", {"SCALE": 6.5, "RETAIN_WEIGHT": 1200.0}),
)
"""The constants of the losses as published. Learning rates and steps do not carry over from networks of another size.

Tuning `simnpo` ended at its published constants. `counterfacts` and `refusal_by_reward` have none.
"""

DESCRIBED, LISTED = ("generate_then_forget", "finetune"), ("simnpo", "finetune")
"""What is compared on a request in words, and with the true rows instead."""


def everything() -> list[Path]:
    """All submissions without learning of their own, and the published constants."""
    every = [path for path in sorted(SUBMISSIONS.glob("[!_]*.py")) if not brings_learning(path)]
    return [*every, *(variant.written() for variant in PUBLISHED)]


def compare(task: str, files: list[Path], models: int, seed: int, folder: str) -> None:
    """Compare submissions on a task. Some say that they do not suit it."""
    options = {"--task": task, "--models": models, "--seed": seed, "--out": REPORTS / folder}
    arguments = [str(part) for pair in options.items() for part in pair]
    subprocess.run([sys.executable, "-m", "scoring", "compare", *map(str, files), *arguments], cwd=ROOT, check=True)


def compare_on_true_rows(models: int) -> None:
    """The task of the concept, with what is to be forgotten listed instead of described."""
    (pools,) = pools_of("authors-concept", None, None, "cpu", (0,), ROOT / "out/store", None, backend_of("processes"))
    task = replace(pools.task, name=f"{pools.task.name}-listed", request="")
    listed = replace(pools, setting=replace(pools.setting, task=task))
    (compared,) = compare_on_seeds([SUBMISSIONS / f"{name}.py" for name in LISTED], [listed], models)
    comparison.write(compared, comparison.record_of_comparison(compared), REPORTS / "listed")


if __name__ == "__main__":
    for seed in SEEDS:
        compare("authors", everything(), MODELS, seed, f"authors-{seed}")
    compare("hazards", everything(), HAZARDS, 0, "hazards")
    compare("authors-concept", [SUBMISSIONS / f"{name}.py" for name in DESCRIBED], CONCEPT, 0, "concept")
    compare_on_true_rows(CONCEPT)
    PAGE.write_text(with_tables(PAGE.read_text(), ROOT / "out/reports"))
