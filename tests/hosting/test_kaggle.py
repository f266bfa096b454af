"""A competition for Kaggle: its metric, and a participant's script."""

import os
import re
import shutil
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from scoring.cli import app
from scoring.hosting.kaggle_metric import ParticipantVisibleError, score
from scoring.judging.score import epsilons, forgetting_quality
from tests.hosting.conftest import MODELS, SEED


def table(answers, retain=0.9, test=0.8):
    examples = {f"example_{number}": answers[:, number] for number in range(answers.shape[1])}
    return pd.DataFrame({"id": range(len(answers))} | examples | {"retain_accuracy": retain, "test_accuracy": test})


def pools(models=64, examples=6, seed=0):
    draws = np.random.default_rng(seed)
    retrained = draws.normal(size=(models, examples))
    # From hardly to be told apart, through other widths, to a pool that has collapsed.
    unlearned = draws.normal(size=(models, examples)) * [1, 1, 0.3, 4, 1, 1e-4] + [0, 0.7, 0, 1, 30, 0]
    return unlearned, retrained


@pytest.mark.parametrize(("models", "seed"), [(8, 0), (64, 1), (512, 2)])
def test_it_is_the_kits_score(models, seed):
    unlearned, retrained = pools(models, seed=seed)
    expected = forgetting_quality(epsilons(unlearned, retrained), models) * (0.6 / 0.9) * (0.4 / 0.8)
    assert score(table(retrained), table(unlearned, 0.6, 0.4), "id") == pytest.approx(expected, rel=1e-12)
    assert expected > 0


def test_the_order_of_rows_does_not_count():
    unlearned, retrained = pools()
    shuffled = table(unlearned).sample(frac=1, random_state=0)
    assert score(table(retrained), shuffled, "id") == score(table(retrained), table(unlearned), "id")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda found: found.drop(columns="example_2"), "example_2 is missing"),
        (lambda found: found.drop(columns="id"), "id is missing"),
        (lambda found: found.assign(example_1="high"), "finite numbers in the column example_1"),
        (lambda found: found.assign(example_1=np.inf), "finite numbers in the column example_1"),
        (lambda found: found.assign(example_0=found.example_0 + 1e6), "from -1000 to 1000 in the column example_0"),
        (lambda found: found.assign(test_accuracy=1.5), "from 0 to 1 in the column test_accuracy"),
        (lambda found: found.head(60), "one row for each of the 64"),
        (lambda found: found.assign(id=0), "one row for each of the 64"),
    ],
)
def test_a_mistake_is_told_to_the_participant(spoil, message):
    unlearned, retrained = pools()
    with pytest.raises(ParticipantVisibleError, match=message):
        score(table(retrained), spoil(table(unlearned)), "id")


@pytest.fixture(scope="module")
def hosted(host):
    return host("kaggle")


def test_its_doctests_hold(hosted, tmp_path):
    """As an organiser runs them: in a file of that name, without the kit."""
    shutil.copyfile(hosted / "metric.py", tmp_path / "kaggle_metric.py")
    ran = subprocess.run(
        [sys.executable, "-I", "-m", "doctest", "-v", tmp_path / "kaggle_metric.py"], capture_output=True
    )
    assert b"Test passed" in ran.stdout, ran.stdout


def test_the_sample_submission_scores_zero_and_the_solution_itself_one(hosted):
    solution, sample = (pd.read_csv(hosted / f"{name}.csv") for name in ("solution", "sample_submission"))
    assert score(solution, sample, "id") == 0
    assert score(solution, solution.drop(columns="Usage"), "id") == 1
    assert sorted(solution["Usage"].value_counts()) == [MODELS // 2, MODELS // 2]


def test_a_participants_script_scores_as_the_same_method_does_in_the_kit(hosted, tmp_path):
    """On the hidden test set, from the uploaded files alone."""
    data = tmp_path / "data"
    shutil.copytree(hosted / "data", data)
    shutil.copyfile(hosted / "hidden/test.npz", data / "test.npz")
    environment = {"DATA": str(data), "PATH": os.environ["PATH"], "OMP_NUM_THREADS": "1"}
    script = hosted / "starting_script.py"
    subprocess.run([sys.executable, "-P", script], cwd=tmp_path, env=environment, check=True, timeout=300)
    made = pd.read_csv(tmp_path / "submission.csv")
    solution = pd.read_csv(hosted / "solution.csv")
    assert list(made.columns) == [name for name in solution.columns if name != "Usage"]
    assert 0 <= score(solution, made, "id") <= 1
    # It trains further on what is kept, so it stays about as accurate as the retrained models.
    for name in ("retain_accuracy", "test_accuracy"):
        assert made[name].mean() == pytest.approx(solution[name].mean(), abs=0.05)
    assert made["example_0"].nunique() == MODELS


def test_participants_get_no_test_set(hosted):
    hidden, shown = (np.load(hosted / name)["image_id"] for name in ("hidden/test.npz", "data/test.npz"))
    for name in ("retain", "forget", "validation"):
        assert not np.isin(hidden, np.load(hosted / f"data/{name}.npz")["image_id"]).any()
    assert not np.isin(hidden, shown).any()


def test_a_task_of_text_is_refused(tmp_path):
    arguments = ["host", "--kind", "kaggle", "--task", "authors", "--seed", str(SEED), "--out", str(tmp_path / "out")]
    result = CliRunner().invoke(app, [*arguments, "--store", str(tmp_path / "store"), "--models", "32"])
    assert result.exit_code == 1
    assert "KIND=codabench" in result.stderr


@pytest.mark.parametrize("seed", [[], ["--seed", "271828"]])
def test_a_seed_that_can_be_guessed_is_refused_and_another_one_suggested(tmp_path, seed):
    arguments = ["host", "--kind", "kaggle", "--out", str(tmp_path / "out"), "--store", str(tmp_path / "store"), *seed]
    suggested = set()
    for _ in range(2):
        result = CliRunner().invoke(app, arguments)
        assert result.exit_code == 1
        assert "Expected a secret SEED of at least 18 digits" in result.stderr
        suggested.add(re.search(r"A random one: SEED=(\d+)", result.stderr.replace("\n", ""))[1])
    assert len(suggested) == 2
    assert all(10**17 <= int(one) < 2**63 for one in suggested)
    assert not (tmp_path / "out").exists()
