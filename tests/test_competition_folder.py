"""A task as a folder in the layout of the competition's input."""

import csv
import json
from dataclasses import replace

import numpy as np
import torch
from PIL import Image
from torchvision.models import resnet18
from typer.testing import CliRunner

from scoring.__main__ import app
from starter_kit import tasks


def export(task, folder, store):
    options = {"--task": task, "--out": folder, "--store": store}
    return CliRunner().invoke(app, ["export", *(str(part) for pair in options.items() for part in pair)])


def test_a_task_is_written_as_the_competitions_input(tmp_path, monkeypatch):
    short = replace(tasks.load("faces:600"), recipe=replace(tasks.load("faces:600").recipe, epochs=1))
    monkeypatch.setattr(tasks, "load", lambda name, data: short)
    folder = tmp_path / "input"
    result = export("faces:600", folder, tmp_path / "store")
    assert result.exit_code == 0, result.stderr
    with (folder / "forget.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [int(row["age_group"]) for row in rows] == short.forget.targets.tolist()
    for row, picture in zip(rows, short.forget.inputs, strict=True):
        person, image = row["image_id"].split("-")
        assert person == row["person_id"]
        with Image.open(folder / "images" / person / f"{image}.png") as opened:
            np.testing.assert_array_equal(np.asarray(opened).transpose(2, 0, 1), picture)
    counts = json.loads((folder / "age_class_weights.json").read_text())
    assert list(counts.values()) == torch.bincount(short.train.targets).tolist()
    net = resnet18(num_classes=10)
    net.load_state_dict(torch.load(folder / "original_model.pth", weights_only=True))
    assert len(list(folder.glob("images/*/*.png"))) == len(short.train) + len(short.validation)


def test_a_task_that_does_not_fit_into_the_competitions_layout(store, tmp_path):
    result = export("digits", tmp_path / "input", store)
    assert result.exit_code == 1
    assert "The task digits does not fit into the competition's layout" in result.stderr
