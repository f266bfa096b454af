"""What the tasks must show, the default one at the official number of models. Minutes: run by `make official`."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from scoring.jobs.evaluation import answer_of_one, answers
from scoring.judging.ceiling import DEVIATIONS
from scoring.learners.recipe import RecipeLearner
from scoring.reports.files import folder_of
from starter_kit import tasks

ROOT = Path(__file__).parents[2]
MODELS = 512
pytestmark = pytest.mark.official


@pytest.fixture(scope="module")
def by_name():
    """The reports of all submissions on digits, where `make compare` puts them."""
    subprocess.run([sys.executable, "-m", "scoring", "compare"], cwd=ROOT, check=True)
    folder = folder_of(ROOT / "out/reports", "digits", 0, MODELS, "comparison")
    comparison = json.loads((folder / "comparison.json").read_text())
    assert comparison["models"] == MODELS
    assert comparison["failed"] == []
    return {one["submission"]["name"]: one for one in comparison["ranking"]}


def score_of(report):
    return report["unlearned"]["score"]["value"]


def test_the_ceiling_is_high_enough_to_read_scores_by(by_name):
    ceiling = by_name["identity"]["ceiling"]
    assert ceiling["value"] >= 0.12
    assert 0 < ceiling["band"][1] - ceiling["band"][0] < 0.5 * ceiling["value"]


def test_no_unlearning_is_worth_nothing(by_name):
    assert score_of(by_name["identity"]) <= 0.001


def test_every_method_is_strictly_between(by_name):
    methods = set(by_name) - {"identity", "retrain"}
    assert len(methods) >= 5
    for name in methods:
        assert score_of(by_name["identity"]) < score_of(by_name[name]) < by_name[name]["ceiling"]["band"][0], name


def test_retraining_is_the_ceiling_but_for_chance(by_name):
    report = by_name["retrain"]
    low, high = report["ceiling"]["band"]
    deviation = (high - low) / (2 * DEVIATIONS)
    assert abs(score_of(report) - report["ceiling"]["value"]) <= 3 * deviation


def test_the_original_and_the_retrained_models_are_good(by_name):
    assert by_name["finetune"]["retrained"]["accuracy"]["test"] >= 0.95
    assert np.isfinite(by_name["finetune"]["time"]["ratio"])


def test_a_model_of_faces_learns_by_heart_and_has_something_to_forget():
    """A single one, at a size that a CPU trains in half a minute."""
    task = tasks.load("faces:600")
    row = answers(task, answer_of_one(RecipeLearner().learn(task, task.retain, seed=0)))
    always_the_youngest = float((task.test.targets == 0).double().mean())
    assert row["retain_accuracy"] >= 0.99
    assert row["test_accuracy"] >= always_the_youngest + 0.1
    assert row["forget_accuracy"] <= row["retain_accuracy"] - 0.3
