"""`unlearning-kit compare`: several submissions, ranked."""

import json
from dataclasses import replace
from pathlib import Path

import matplotlib.image
import pytest

from starter_kit import tasks
from tests.toys import part


def test_compare_ranks_and_goes_on_after_a_failure(kit, written, tmp_path):
    broken = written("def unlearning(net, retain, forget, val):\n    raise RuntimeError('no')")
    result = kit("compare", "submissions/identity.py", broken, "submissions/finetune.py")
    assert result.exit_code == 1
    comparison = json.loads((tmp_path / "report/comparison.json").read_text())
    assert [one["submission"]["name"] for one in comparison["ranking"]] == ["finetune", "identity"]
    assert comparison["failed"][0]["name"] == "mine"
    assert "RuntimeError: no" in comparison["failed"][0]["reason"]
    places = [result.stdout.index(name) for name in ("ceiling", "finetune", "identity", "mine")]
    assert places == sorted(places)
    assert "failed" in result.stdout
    assert "RuntimeError: no" in result.stderr
    assert matplotlib.image.imread(tmp_path / "report/comparison.png").std() > 0.05
    assert (tmp_path / "report/finetune/report.json").exists()


REFUSES = "def unlearning(net, retain, forget, val):\n    raise NotImplementedError('This method needs words.')"
TORCH_REFUSES = (
    "import torch\ndef unlearning(net, retain, forget, val):\n    torch.zeros(2, device='meta').cpu().numpy()"
)


def test_a_method_that_does_not_suit_the_task_is_no_failure(kit, written, tmp_path):
    result = kit("compare", "submissions/identity.py", written(REFUSES))
    assert result.exit_code == 0
    assert "mine.py does not run on this task: This method needs words." in result.stdout
    assert "failed" not in result.stdout
    comparison = json.loads((tmp_path / "report/comparison.json").read_text())
    assert comparison["failed"] == []
    assert [one["name"] for one in comparison["unsuited"]] == ["mine"]


def test_what_torch_does_not_implement_is_a_failure(kit, written, tmp_path):
    result = kit("compare", "submissions/identity.py", written(TORCH_REFUSES))
    assert result.exit_code == 1
    comparison = json.loads((tmp_path / "report/comparison.json").read_text())
    assert "NotImplementedError" in comparison["failed"][0]["reason"]
    assert comparison["unsuited"] == []


@pytest.mark.parametrize("backend", ["serial", "processes"])
def test_score_says_that_a_method_does_not_suit_the_task(kit, written, backend):
    result = kit("score", written(REFUSES), backend=backend)
    assert result.exit_code == 1
    assert "mine.py does not run on this task: This method needs words." in result.stderr
    assert "Traceback" not in result.stderr


def test_compare_says_what_score_says(kit):
    result = kit("compare", "submissions/identity.py")
    assert "Not comparable with official scores: 8 models instead of 512" in result.stdout
    assert "identity: All 8 runs left the model unchanged" in result.stdout


def test_compare_makes_nothing_where_a_file_is_missing(kit, tmp_path):
    """After hours of training a typo would cost its row, and the comparison that was there before."""
    result = kit("compare", "submissions/identity.py", "submissions/fintune.py", "--store", tmp_path / "store")
    assert result.exit_code == 1
    assert "Did you mean submissions/finetune.py?" in result.stderr
    assert not (tmp_path / "report/comparison.json").exists()
    assert not (tmp_path / "store").exists()


def test_a_long_name_is_broken_between_its_words(kit, tmp_path):
    """At 80 characters a line, with all columns."""
    long = tmp_path / "reinitialize_similar_gradients.py"
    long.write_text(Path("submissions/identity.py").read_text())
    lines = kit("compare", long, "submissions/retrain_last_layers.py").stdout.splitlines()
    first = next(number for number, line in enumerate(lines) if line.startswith("reinitialize"))
    assert lines[first].startswith("reinitialize_similar_ ")
    assert lines[first + 1].split() == ["gradients"]
    (short,) = (line for line in lines if line.startswith("retrain_last_layers "))
    assert len(short.split()) == 7, "a name, the score and five figures"
    assert len(short) <= 80


def test_compare_refuses_two_files_of_one_name_and_takes_one_file_once(kit, tmp_path):
    (tmp_path / "identity.py").write_text(Path("submissions/identity.py").read_text())
    result = kit("compare", "submissions/identity.py", tmp_path / "identity.py")
    assert result.exit_code == 1
    assert "have the same name. Rename one of them to compare them." in result.stderr
    assert kit("compare", "submissions/identity.py", "./submissions/identity.py").exit_code == 0
    ranking = json.loads((tmp_path / "report/comparison.json").read_text())["ranking"]
    assert len(ranking) == 1


@pytest.mark.parametrize("name", ["ceiling", "floor"])
def test_compare_refuses_the_names_of_its_own_rows(kit, tmp_path, name):
    (tmp_path / f"{name}.py").write_text(Path("submissions/identity.py").read_text())
    result = kit("compare", tmp_path / f"{name}.py")
    assert result.exit_code == 1
    assert f"{name}.py has the name of a reference row of the table" in result.stderr


def test_compare_works_where_hardly_anything_is_to_be_forgotten(kit, tmp_path, monkeypatch):
    """Too little for the membership attack, which is left out then."""
    digits = tasks.load("digits")
    task = replace(digits, forget=part(digits.forget, 0, 4), recipe=replace(digits.recipe, epochs=1))
    with monkeypatch.context() as patch:
        patch.setattr(tasks, "load", lambda name, data, model: task)
        result = kit("compare", "submissions/identity.py", "--store", tmp_path / "store")
    assert result.exit_code == 0, result.stderr
    comparison = json.loads((tmp_path / "report/comparison.json").read_text())
    judged = [comparison["ranking"][0]["judges"], comparison["reference"]["ceiling"], comparison["reference"]["floor"]]
    assert [(one["attack"], one["population"]) for one in judged] == [(None, None)] * 3


def test_the_order_and_the_company_of_submissions_do_not_matter(kit, tmp_path):
    alone = kit("score", "submissions/random_labels.py")
    assert alone.exit_code == 0
    score = json.loads((tmp_path / "report/report.json").read_text())["unlearned"]["score"]
    assert kit("compare", "submissions/finetune.py", "submissions/random_labels.py").exit_code == 0
    ranking = json.loads((tmp_path / "report/comparison.json").read_text())["ranking"]
    assert score in [one["unlearned"]["score"] for one in ranking]
