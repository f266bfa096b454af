"""What the task `faces` is, and the recipe that it has from the competition."""

import numpy as np
import torch
from PIL import Image

from starter_kit import tasks
from starter_kit.competition.recipe import competition_recipe
from starter_kit.tasks import faces
from tests.starter_kit.faces_sheet import SHEET, sheet


class TestFaces:
    def test_it_is_like_the_competition(self):
        task = tasks.load("faces:2000")
        counts = torch.bincount(task.train.targets, minlength=10)
        assert len(task.train) == 1600
        assert counts[0] == counts.max() > 0.35 * len(task.train)
        assert counts.min() > 0
        assert 0.02 <= len(task.forget) / len(task.train) < 0.03
        assert (task.forget.targets <= 1).float().mean() > 0.5
        for examples in task.sets.values():
            assert examples.inputs.shape[1:] == (3, 32, 32)
            assert 0 <= examples.inputs.min() < 30
            assert 225 < examples.inputs.max() <= 255
        assert task.recipe.class_weights == tuple(1 / count for count in counts.tolist())

    def test_people_can_be_recognised_and_have_one_age(self):
        task = tasks.load("faces:1200")
        train = task.train
        people = train.person_id.unique()
        for person in people:
            assert len(train.targets[train.person_id == person].unique()) == 1
        means = torch.stack([train.inputs[train.person_id == person].mean(0).flatten() for person in people])
        held_out = task.test.inputs.flatten(1)
        nearest = people[torch.cdist(held_out, means).argmin(dim=1)]
        assert (nearest == task.test.person_id).float().mean() > 10 / len(people)

    def test_the_guide_shows_the_faces_as_they_are_drawn(self):
        drawn, shown = np.asarray(sheet()), np.asarray(Image.open(SHEET))
        np.testing.assert_array_equal(drawn, shown, "python -m tests.starter_kit.faces_sheet draws the picture again")

    def test_the_default_size_has_all_people(self):
        assert faces.SIZE // faces.PICTURES_PER_PERSON > faces.PEOPLE


def test_the_class_weight_of_an_absent_class_is_one():
    assert competition_recipe(torch.tensor([0, 0, 2]), 4).class_weights == (0.5, 1, 1, 1)
