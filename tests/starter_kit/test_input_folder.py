"""A task as a folder in the layout of the competition's input, written by the command line."""

import csv
import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.models import resnet18
from typer.testing import CliRunner

from scoring.cli.app import app
from starter_kit import tasks
from tests import toys


@pytest.fixture
def export(tmp_path, monkeypatch):
    """Export a task, whose original model is trained for one epoch."""

    def export(task):
        short = replace(task, recipe=replace(task.recipe, epochs=1))
        monkeypatch.setattr(tasks, "load", lambda name, data, model: short)
        options = ["--task", task.name, "--out", tmp_path / "input", "--store", tmp_path / "store"]
        return CliRunner().invoke(app, ["export", *map(str, options)])

    return export


def test_a_task_is_written_in_the_competitions_layout(export, tmp_path):
    task, folder = toys.task(), tmp_path / "input"
    task.forget.person_id[5:] = 77
    result = export(task)
    assert result.exit_code == 0, result.stderr
    with (folder / "forget.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [int(row["age_group"]) for row in rows] == task.forget.targets.tolist()
    assert [int(row["person_id"]) for row in rows] == task.forget.person_id.tolist()
    for row, picture in zip(rows, task.forget.inputs, strict=True):
        person, image = row["image_id"].split("-")
        assert person == row["person_id"]
        with Image.open(folder / "images" / person / f"{image}.png") as opened:
            np.testing.assert_array_equal(np.asarray(opened).transpose(2, 0, 1), picture)
    assert len(list(folder.glob("images/*/*.png"))) == len(task.train) + len(task.validation)
    assert not (folder / "test.csv").exists()
    counts = json.loads((folder / "age_class_weights.json").read_text())
    assert list(counts.values()) == torch.bincount(task.train.targets).tolist()
    net = resnet18(num_classes=10)
    net.load_state_dict(torch.load(folder / "original_model.pth", weights_only=True))


def test_a_task_that_does_not_fit_the_competitions_layout(export, tmp_path):
    result = export(tasks.load("digits"))
    assert result.exit_code == 1
    assert "The task digits does not fit the competition's layout: the competition's notebook builds" in result.stderr
    assert not (tmp_path / "input").exists()
