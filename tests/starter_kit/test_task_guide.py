"""The examples of starter_kit/tasks/README.md work as they stand there."""

import csv
import re
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from scoring.learners.recipe import RecipeLearner
from starter_kit import tasks
from starter_kit.answers import correct
from starter_kit.errors import TaskError
from starter_kit.training import seed_everything, train

GUIDE = Path(tasks.__file__).with_name("README.md").read_text(encoding="utf-8")
SOURCES = dict(re.findall(r"^`starter_kit/tasks/(\w+)\.py`:\n\n```python\n(.*?)^```$", GUIDE, re.M | re.S))
ROWS, PEOPLE = 1000, 40


def rows_of_a_table(rng):
    """Three classes, shifted in two columns of very different scale; a third column is noise."""
    for number in range(ROWS):
        kind = int(rng.integers(3))
        height, income = rng.normal([1.5 + 0.3 * kind, 20_000 + 9_000 * (kind == 1)], [0.1, 3_000])
        yield {
            "height": f"{height:.3f}",
            "person": f"p{number % PEOPLE}",
            "income": f"{income:.0f}",
            "class": "abc"[kind],
            "noise": f"{rng.normal():.2f}",
        }


def rows_of_texts(rng):
    """Reviews of up to a hundred words, of which some fit the label."""
    words = {"good": ["lovely", "Great,", "superb"], "bad": ["awful", "dull", "Poor!"]}
    filler = ["the", "film", "was", "and", "I", "saw", "it", "yesterday,", "été"]
    for number in range(ROWS):
        label = ["good", "bad"][int(rng.integers(2))]
        text = [*rng.choice(words[label], 2), *rng.choice(filler, int(rng.integers(3, 100)))]
        yield {"text": " ".join(rng.permutation(text[:40])), "label": label, "person": f"p{number % PEOPLE}"}


ROWS_OF = {"table": rows_of_a_table, "texts": rows_of_texts}


@pytest.fixture(params=ROWS_OF)
def name(request, tmp_path, monkeypatch):
    """The file of an example is among the tasks, as if it had been copied there, and its data are in `tmp_path`."""
    name = request.param
    folder = tmp_path / "tasks"
    folder.mkdir()
    (folder / f"{name}.py").write_text(SOURCES[name], encoding="utf-8")
    monkeypatch.setattr(tasks, "__path__", [str(folder), *tasks.__path__])
    # A reader of the guide may have a file of this name.
    monkeypatch.delitem(sys.modules, f"starter_kit.tasks.{name}", raising=False)
    rows = list(ROWS_OF[name](np.random.default_rng(0)))
    with (tmp_path / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    yield name
    sys.modules.pop(f"starter_kit.tasks.{name}", None)


def test_all_code_of_the_guide_is_tested():
    assert set(SOURCES) == set(ROWS_OF)
    assert len(SOURCES) == GUIDE.count("```python")


class TestEachExample:
    def test_it_is_loaded_and_split_by_person(self, name, tmp_path):
        task = tasks.load(name, tmp_path)
        assert task.name == name
        assert [len(examples) for examples in (task.train, task.validation, task.test)] == [800, 100, 100]
        assert len(task.forget.person_id.unique()) == 5
        assert tasks.load(name, tmp_path).digest() == task.digest()

    def test_a_model_learns_it(self, name, tmp_path):
        task = tasks.load(name, tmp_path)
        seed_everything(0)
        net = task.network()
        train(net, task.train, task.recipe)
        with torch.inference_mode():
            right = correct(net.eval()(task.test.inputs), task.test.targets)
        assert right.float().mean() > 0.9

    def test_many_models_are_trained_at_once(self, name, tmp_path):
        assert RecipeLearner().why_one_at_a_time(tasks.load(name, tmp_path)) is None

    def test_missing_data_are_reported(self, name, tmp_path):
        with pytest.raises(TaskError, match=rf"{name}\.csv: expected a CSV file with .*; found no file"):
            tasks.load(name, tmp_path / "nowhere")
