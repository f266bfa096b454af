"""What the tasks have to show, the default one at the official number of models. Minutes: run by `make official`.

The comparison that it reads is the one the README shows; `make compare` makes it.
"""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from scoring import Outputs, epsilons, forgetting_quality
from scoring.jobs.training import retrained
from starter_kit import tasks

ROOT = Path(__file__).parents[1]
SPLITS = 40
pytestmark = pytest.mark.official


@pytest.fixture(scope="module")
def by_name():
    folder = ROOT / "out/reports/digits/comparison"
    subprocess.run([sys.executable, "-m", "scoring", "compare", "--out", str(folder)], cwd=ROOT, check=True)
    comparison = json.loads((folder / "comparison.json").read_text())
    assert comparison["models"] == 512
    assert comparison["failed"] == []
    return {one["submission"]["name"]: one for one in comparison["ranking"]}


def test_the_ceiling_is_high_enough_to_read_scores_by(by_name):
    assert by_name["identity"]["ceiling"]["score"] >= 0.12


def test_no_unlearning_is_worth_nothing(by_name):
    assert by_name["identity"]["score"] <= 0.001


def test_every_method_is_strictly_between(by_name):
    methods = set(by_name) - {"identity", "retrain"}
    assert len(methods) >= 5
    for name in methods:
        assert by_name["identity"]["score"] < by_name[name]["score"] < by_name[name]["ceiling"]["score"], name


def test_retraining_is_the_ceiling_but_for_chance(by_name):
    """Any two halves of the models that never saw the forget set are such a pair: how much do their scores differ?"""
    folder = ROOT / "out/reports/digits/comparison/retrain"
    both = np.concatenate([Outputs.load(folder / f"{name}.npz").forget_confidence for name in ("retrained", "ceiling")])
    rng = np.random.default_rng(0)
    halves = [np.array_split(both[rng.permutation(len(both))], 2) for _ in range(SPLITS)]
    by_chance = np.array([forgetting_quality(epsilons(*pair), 512) for pair in halves])
    found = by_name["retrain"]["forgetting_quality"]
    assert abs(found - by_chance.mean()) <= 3 * by_chance.std(ddof=1), (found, by_chance.mean(), by_chance.std())


def test_the_original_and_the_retrained_models_are_good(by_name):
    assert by_name["finetune"]["retrained"]["test_accuracy"] >= 0.95
    assert np.isfinite(by_name["finetune"]["time_ratio"])


def test_a_model_of_faces_learns_by_heart_and_has_something_to_forget():
    """A single one, at a size that a CPU trains in half a minute."""
    task = tasks.load("faces:600")
    row = retrained(task, [0], alone=True)
    always_the_youngest = float((task.test.targets == 0).double().mean())
    assert row["retain_accuracy"] >= 0.99
    assert row["test_accuracy"] >= always_the_youngest + 0.1
    assert row["forget_accuracy"] <= row["retain_accuracy"] - 0.3
