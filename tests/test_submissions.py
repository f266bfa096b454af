"""Every submission runs on digits and on the competition's network, by the contract alone, whatever the sets' sizes."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from scoring import submission
from scoring.jobs.setting import Setting
from scoring.jobs.training import Original
from scoring.jobs.unlearning import Unlearning
from starter_kit import tasks
from starter_kit.batches import Examples
from starter_kit.tasks.faces import competition_recipe
from tests.conftest import make_pools

ROOT = Path(__file__).parents[1]
SUBMISSIONS = sorted((ROOT / "submissions").glob("[!_]*.py"))
LEAVES_THE_MODEL_ALONE = {"identity"}
NEEDS_MORE_STEPS = {
    "reset_ends_distill",
    "transpose_or_pseudo_labels",
    "zero_half_of_weights",
}
"""What they destroy has to be learned again, in the 300 steps an epoch of the competition; digits has 21."""

MODELS = 4

each = pytest.mark.parametrize("path", [*SUBMISSIONS, ROOT / "starter_kit/template.py"], ids=lambda path: path.stem)


@each
def test_a_submission_on_digits(store, path):
    pools = make_pools(store)
    original = pools.original()
    outputs = pools.unlearned(submission.read(path), original, MODELS)
    distinct = len(np.unique(outputs.forget_confidence, axis=0))
    assert distinct == (1 if path.stem in LEAVES_THE_MODEL_ALONE else MODELS)
    if path.stem not in LEAVES_THE_MODEL_ALONE:
        assert not np.allclose(outputs.forget_confidence[0], original["forget_confidence"][0])
    least = 0.3 if path.stem in NEEDS_MORE_STEPS else 0.85
    assert outputs.retain_accuracy.mean() >= least
    assert outputs.test_accuracy.mean() >= least
    assert len(set(outputs.seeds.tolist())) == MODELS


AWKWARD = {"last batches of one": (65, 65, 65), "one to forget": (66, 1, 2)}
"""How many to retain, to forget and to validate with."""


@pytest.fixture(scope="module", params=AWKWARD.values(), ids=AWKWARD)
def resnet(request):
    """The competition's network and pictures, in sets of awkward sizes."""
    faces = tasks.load("faces:600")
    columns = [getattr(faces.retain, name) for name in ("inputs", "targets", "image_id", "person_id")]
    parts = [column[: sum(request.param)].split(request.param) for column in columns]
    retain, forget, validation = (Examples(*part) for part in zip(*parts, strict=True))
    task = replace(faces, retain=retain, forget=forget, validation=validation)
    task = replace(task, recipe=replace(competition_recipe(task.train.targets, 10), epochs=1, batch_size=17))
    setting = Setting(task, "cpu", 0)
    return setting, Original(setting).prepare()(0)


@each
def test_a_submission_on_the_competitions_network(resnet, path):
    setting, original = resnet
    row = Unlearning(setting, submission.read(path), original).prepare()(0)
    # Batch norm cannot train on a single example: methods that use nothing else have nothing to do then.
    if path.stem not in LEAVES_THE_MODEL_ALONE and len(setting.task.forget) > 1:
        assert not np.allclose(row["test_confidence"], original["test_confidence"])


@pytest.mark.parametrize("path", SUBMISSIONS, ids=lambda path: path.stem)
def test_it_says_what_it_is_and_what_it_costs(path):
    said = submission.read(path).source.split('"""')[1]
    assert "Source:" in said or path.stem in {"identity", "retrain"}
    assert "Cost:" in said
    assert "seed(" not in path.read_text(), "a fixed seed would collapse the pool"
