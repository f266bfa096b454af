import re
from functools import partial

import pytest
import torch
from sklearn.datasets import load_digits

from scoring.evaluate import answers, logits_of_one
from starter_kit import tasks
from starter_kit.tasks import digits
from starter_kit.training import seed_everything, train

DIGESTS = {"digits": "56b1c4ad584e039dfecac3ddf8506898d2956925624c99be979de8dd961ca790"}
"""The same on every machine; a change of it changes what is scored."""


@pytest.mark.parametrize("name", tasks.names())
class TestEachTask:
    def test_the_sets_are_disjoint_and_fit_the_network(self, name):
        task = tasks.load(name)
        ids = torch.cat([examples.image_id for examples in task.sets.values()])
        assert len(ids.unique()) == len(ids)
        net = task.network().eval()
        for examples in task.sets.values():
            logits = net(examples.inputs[:4])
            assert logits.shape[0] == 4
            assert examples.inputs.dtype == torch.float32
            assert examples.targets.dtype == torch.int64
            assert 0 <= examples.targets.min() <= examples.targets.max() < logits.shape[1]
        assert len(task.train) == len(task.retain) + len(task.forget)

    def test_a_persons_request_takes_all_training_images_of_hers(self, name):
        task = tasks.load(name)
        assert not set(task.forget.person_id.tolist()) & set(task.retain.person_id.tolist())

    def test_the_network_has_the_parts_of_a_resnet(self, name):
        parts = {part for part, _ in tasks.load(name).network().named_children()}
        assert {"conv1", "bn1", "layer1", "layer2", "layer3", "layer4", "fc"} <= parts

    def test_the_digest_is_known(self, name):
        assert tasks.load(name).digest() == DIGESTS[name]


def test_the_sessions_of_the_digits_begin_with_the_same_dictation():
    sequence = "".join(map(str, load_digits().target))
    ends = (*digits.SESSION_STARTS[1:], len(sequence))
    for start, end in zip(digits.SESSION_STARTS, ends, strict=True):
        assert 115 <= end - start <= 131
        # Three times 0 to 9 and then 0 9 5 5 6 5; two sessions lack an image or two, one has a wrong label.
        assert re.search("456789095565098984177", sequence[start : start + 55])


def test_digits_has_the_splits_of_the_competition():
    task = tasks.load("digits")
    assert [len(examples) for examples in (task.train, task.validation, task.test)] == [1437, 180, 180]
    assert len(task.forget) == 95
    assert task.forget.inputs.min() == 0
    assert task.forget.inputs.max() == 16


def test_a_model_of_digits_is_good_and_has_something_to_forget():
    task = tasks.load("digits")
    seed_everything(0)
    net = task.network()
    train(net, task.retain, task.recipe)
    row = answers(task, partial(logits_of_one, net))
    assert row["test_accuracy"] >= 0.95
    assert row["retain_accuracy"] >= 0.99
    assert row["forget_accuracy"] <= row["retain_accuracy"] - 0.03


def test_a_task_with_a_typo():
    with pytest.raises(ValueError, match=r"There is no task 'digit'. Did you mean 'digits'\?"):
        tasks.load("digit")
