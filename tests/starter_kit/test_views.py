"""How an example looks to a person."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from starter_kit import tasks
from starter_kit.views import LARGEST, usual, views
from tests.toys import sets_of


def examples(inputs):
    return sets_of(inputs, torch.zeros(len(inputs), dtype=torch.long), {"forget": len(inputs)})["forget"]


def test_digits_are_pictures_of_eight_bits():
    task = tasks.load("digits")
    found = views(task)
    assert len(found) == len(task.forget)
    assert {(one.shape, one.dtype.name) for one in found} == {((8, 8), "uint8")}
    brightest = int(task.forget.inputs[0, 0].argmax())
    assert found[0].ravel()[brightest] == found[0].max()
    assert max(one.max() for one in found) == 255


def test_large_pictures_are_made_small_and_keep_their_colours_and_shape():
    inputs = torch.zeros(2, 3, 200, 100)
    inputs[:, 0] = 255
    found = usual(examples(inputs))
    assert found[0].shape == (LARGEST, LARGEST // 2, 3)
    assert found[0].reshape(-1, 3).mean(axis=0).round().tolist() == [255, 0, 0]


def test_pictures_that_are_all_alike_are_no_error():
    assert usual(examples(torch.ones(2, 1, 4, 4)))[0].shape == (4, 4)


def test_a_row_of_a_table_is_numbers():
    assert usual(examples(torch.arange(24.0).view(2, 12)))[0] == "0, 1, 2, 3, 4, 5, 6, 7, …"


@pytest.mark.parametrize("name", ["authors", "hazards"])
def test_text_is_the_question(name):
    found = views(tasks.load(name))
    assert all(isinstance(one, str) and "?" in one for one in found)
    assert len(set(found)) > len(found) / 2


def test_a_task_can_say_how_its_examples_look():
    task = replace(tasks.load("digits"), show=lambda forget, index: f"digit {int(forget.targets[index])}")
    assert views(task)[0] == f"digit {int(task.forget.targets[0])}"
    drawn = replace(task, show=lambda forget, index: np.zeros((2, 2), np.uint8))
    assert views(drawn)[0].shape == (2, 2)
