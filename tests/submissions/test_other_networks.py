"""Every submission on networks without convolutions, for tables and for sequences: it runs, or says what is missing."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from scoring.jobs.original import Original, OriginalJob
from scoring.jobs.setting import Setting
from starter_kit.errors import UnsuitedError
from starter_kit.task import Task
from starter_kit.task_contract import shortfalls
from starter_kit.training import Recipe
from tests.conftest import run_of
from tests.toys import sequence_task, sets_of

ROOT = Path(__file__).parents[2]
SUBMISSIONS = [*sorted((ROOT / "submissions").glob("[!_]*.py")), ROOT / "starter_kit/template.py"]

REFUSES = {
    "noise_class_weighted": "This method adds noise to conv1, and this network has no conv1.",
    "noisy_random_layers": "This method resets fc, and this network has no fc.",
    "reinitialize_similar_gradients": "This method re-initialises convolutions (Conv2d), and this network has none.",
    "reset_ends_distill": "This method resets conv1 and fc, and this network has no conv1 or fc.",
    "reset_layers_distill": "This method resets convolutions (Conv2d), and this network has none.",
    "transpose_kernels": "This method transposes convolutions (Conv2d), and this network has none.",
}
"""What methods say that need layers which these networks lack."""

REFUSES_SEQUENCES = REFUSES | {
    "amun": "This method changes inputs a little, and inputs of this task are tokens.",
    "prune_refill_entropy": (
        "This method weights examples by their class, and an example of this task has no single class."
    ),
    "pseudo_labels": "This method guesses classes, and an example of this task has no single class.",
}

RUN_ANYWHERE = {
    *("finetune", "gradient_ascent", "identity", "neggrad_plus", "random_labels", "retrain", "salun", "scrub"),
    *("fisher_noise", "influence", "lotus", "rum", "sfron", "srl", "ssd", "weight_noise"),
}
"""Some methods that run on any network. A new method may refuse one, in a sentence, without being listed here."""

FEATURES, CLASSES = 12, 4
SIZES = {"retain": 129, "forget": 20, "validation": 30, "test": 30}


def perceptron() -> nn.Module:
    return nn.Sequential(nn.Linear(FEATURES, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Linear(32, CLASSES))


def table_task() -> Task:
    """The class of a row is the largest of its first features."""
    inputs = torch.randn(sum(SIZES.values()), FEATURES, generator=torch.Generator().manual_seed(0))
    targets = inputs[:, :CLASSES].argmax(dim=1)
    recipe = Recipe("adam", epochs=20, batch_size=32, learning_rate=1e-2, weight_decay=0.0)
    return Task("table", perceptron, recipe, **sets_of(inputs, targets, SIZES), module=__name__)


@pytest.fixture(
    scope="module", params=[(table_task, REFUSES), (sequence_task, REFUSES_SEQUENCES)], ids=["table", "text"]
)
def other(request):
    """The setting of a task, its original model, and the methods that refuse it with what they say."""
    make, refuses = request.param
    task = make()
    assert shortfalls(task) == []
    setting = Setting(task, "cpu", 0)
    return setting, Original.of_row(OriginalJob(setting).prepare()(0)), refuses


def run_unless_refused(run, may_refuse):
    """A row, or None if the method says in a sentence why it cannot run here."""
    try:
        return run(0)
    except UnsuitedError:
        if may_refuse:
            return None
        raise


@pytest.mark.parametrize("path", SUBMISSIONS, ids=lambda path: path.stem)
def test_a_method_runs_or_says_what_is_missing(other, path):
    setting, original, refuses = other
    run = run_of(setting, path, original)
    if path.stem in refuses:
        # A method that chooses at random between two ways must refuse on both.
        for index in range(4):
            with pytest.raises(UnsuitedError, match=re.escape(refuses[path.stem])):
                run(index)
        return
    row = run_unless_refused(run, may_refuse=path.stem not in RUN_ANYWHERE)
    if row is None:
        return
    same = np.allclose(row["test_confidence"], original.answers["test_confidence"])
    assert same == (path.stem == "identity")
