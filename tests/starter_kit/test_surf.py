"""CASIA-SURF, on a small synthetic folder in its layout, with the pitfalls of the real one."""

import random
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from starter_kit import tasks
from starter_kit.errors import TaskError

PEOPLE = 20
PICTURES = 6
GROUPS = ("part", "part-1")


@pytest.fixture
def folder(tmp_path):
    """People 2_000, 2_001, ... aged 20, 22, ..., in two groups of folders. The red of a picture is its person.

    The groups are named so that paths sort differently as text than part by part.
    """
    (tmp_path / "Age_Gender.txt").write_text("".join(f"2_{p:03} {20 + 2 * p} M\n" for p in range(PEOPLE)))
    for person in range(PEOPLE):
        colour = tmp_path / "WBackground" / GROUPS[person % 2] / f"2_{person:03}" / "real.rssdk" / "color"
        colour.mkdir(parents=True)
        for number in range(PICTURES):
            Image.new("RGB", (48, 40), (10 * person, 100, 50)).save(colour / f"{number:02}.jpg", quality=95)
    return tmp_path


def load(folder):
    return tasks.load("surf", folder)


def all_of(task, column):
    return torch.cat([getattr(examples, column) for examples in task.sets.values()])


def test_it_is_read_as_the_organisers_read_it(folder):
    task = load(folder)
    total = PEOPLE * PICTURES
    assert len(task.train) == int(0.8 * total)
    assert len(task.validation) == int(0.9 * total) - int(0.8 * total)
    assert sorted(all_of(task, "image_id").tolist()) == list(range(total))
    paths = sorted(map(str, folder.glob("WBackground/*/*/real.rssdk/color/*.jpg")))
    random.Random(43).shuffle(paths)
    people = [int(Path(path).parts[-4].removeprefix("2_")) for path in paths]
    held_out = [*task.validation.person_id.tolist(), *task.test.person_id.tolist()]
    assert held_out == people[int(0.8 * total) :]
    assert set(task.forget.person_id.tolist()) == set(range(15))
    assert set(task.retain.person_id.tolist()) == set(range(15, PEOPLE))


def test_pictures_are_raw_and_labels_are_age_bins(folder):
    task = load(folder)
    for examples in task.sets.values():
        assert examples.inputs.shape[1:] == (3, 32, 32)
        means = examples.inputs.mean((2, 3))
        assert torch.allclose(means[:, 0], 10.0 * examples.person_id, atol=4)
        assert torch.allclose(means[:, 1], torch.tensor(100.0), atol=4)
        edges = np.linspace(20, 20 + 2 * (PEOPLE - 1) + 1, 11)
        assert examples.targets.tolist() == (np.digitize(20 + 2 * examples.person_id.numpy(), edges) - 1).tolist()
    counts = torch.bincount(task.train.targets, minlength=10)
    assert task.recipe.class_weights == tuple(1 / count for count in counts.tolist())
    assert (task.recipe.optimizer, task.recipe.epochs, task.recipe.learning_rate) == ("adam", 30, 1e-4)


def test_pictures_are_resized_by_a_smooth_filter(folder):
    """From 64x64 to 32x32: each pixel weighs four pixels per side as 1, 3, 3, 1. Nothing is cropped or rotated."""
    down, across = np.mgrid[0:64, 0:64]
    large = np.stack([3 * down, 3 * across, 120 + 60 * np.sin(down / 5) * np.cos(across / 7)], axis=2)
    path = folder / "WBackground/part/2_004/real.rssdk/color/03.jpg"
    Image.fromarray(large.astype(np.uint8)).save(path, quality=100, subsampling=0)
    inputs = all_of(load(folder), "inputs")
    (found,) = inputs[inputs.flatten(2).std(dim=2).min(dim=1).values > 20]
    weights = np.zeros((32, 64))
    for row in range(32):
        for offset, weight in zip(range(-1, 3), (1, 3, 3, 1), strict=True):
            if 0 <= 2 * row + offset < 64:
                weights[row, 2 * row + offset] = weight
    weights /= weights.sum(axis=1, keepdims=True)
    expected = np.einsum("ij,kl,jlc->cik", weights, weights, large)
    np.testing.assert_allclose(found, expected, atol=4)


def test_a_greyscale_picture_counts_like_any_other(folder):
    path = folder / "WBackground/part/2_004/real.rssdk/color/03.jpg"
    Image.new("L", (30, 30), 77).save(path, quality=95)
    inputs = all_of(load(folder), "inputs")
    assert len(inputs) == PEOPLE * PICTURES
    assert ((inputs - 77).abs() <= 2).flatten(1).all(dim=1).sum() == 1


def test_unreadable_pictures_and_people_without_a_label_are_left_out_with_a_warning(folder):
    broken = folder / "WBackground/part-1/2_001/real.rssdk/color/00.jpg"
    broken.write_bytes(broken.read_bytes()[:40])
    (folder / "WBackground/part-1/2_999").mkdir()
    stranger = folder / "WBackground/part/stranger/real.rssdk/color"
    stranger.mkdir(parents=True)
    Image.new("RGB", (32, 32)).save(stranger / "00.jpg")
    with pytest.warns() as caught:
        task = load(folder)
    messages = [str(warning.message) for warning in caught]
    assert f"left out 1 unreadable pictures, first {broken}" in messages
    assert "left out 1 people who are not in Age_Gender.txt, first stranger" in messages
    assert len(all_of(task, "targets")) == PEOPLE * PICTURES - 1


def test_a_folder_that_is_not_the_data_set(tmp_path):
    (tmp_path / "holiday.jpg").touch()
    with pytest.raises(TaskError, match=r"expected Age_Gender.txt and WBackground.*found holiday.jpg") as caught:
        load(tmp_path)
    for word in ("licence", "DATA=", "TASK=faces"):
        assert word in str(caught.value)
    with pytest.raises(TaskError, match="found no such folder"):
        load(tmp_path / "nothing")


@pytest.mark.parametrize("line", ["2_000 30 M", "2_777 old F", "2_777"])
def test_a_malformed_line_of_labels(folder, line):
    path = folder / "Age_Gender.txt"
    path.write_text(path.read_text() + line + "\n")
    with pytest.raises(TaskError, match=f"line {PEOPLE + 1}: expected an ID.*found {re.escape(repr(line))}"):
        load(folder)


def test_labels_without_pictures(folder):
    (folder / "WBackground").rename(folder / "Background")
    with pytest.raises(
        TaskError, match=r"expected readable pictures WBackground.* of labelled people, found none in 0 files"
    ):
        load(folder)


def test_too_few_people(folder):
    for person in range(12, PEOPLE):
        (folder / f"WBackground/{GROUPS[person % 2]}/2_{person:03}").rename(folder / f"gone{person}")
    with pytest.raises(TaskError, match=r"expected pictures of more than 15 people.*72 pictures of 12 people"):
        load(folder)
