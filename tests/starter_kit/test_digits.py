"""What the task `digits` is."""

import re

from sklearn.datasets import load_digits

from scoring.jobs.evaluation import answer_of_one, answers
from starter_kit import tasks
from starter_kit.tasks import digits
from starter_kit.training import seed_everything, train


class TestDigits:
    def test_sessions_begin_with_the_same_dictation(self):
        sequence = "".join(map(str, load_digits().target))
        ends = (*digits.SESSION_STARTS[1:], len(sequence))
        for start, end in zip(digits.SESSION_STARTS, ends, strict=True):
            assert 115 <= end - start <= 131
            # Three times 0 to 9 and then 0 9 5 5 6 5; two sessions lack an image or two, and one has a wrong label.
            assert re.search("456789095565098984177", sequence[start : start + 55])

    def test_it_is_split_as_in_the_competition(self):
        task = tasks.load("digits")
        assert [len(examples) for examples in (task.train, task.validation, task.test)] == [1437, 180, 180]
        assert len(task.forget) == 95
        assert task.forget.inputs.min() == 0
        assert task.forget.inputs.max() == 16

    def test_a_model_is_good_and_has_something_to_forget(self):
        task = tasks.load("digits")
        seed_everything(0)
        net = task.network()
        train(net, task.retain, task.recipe)
        row = answers(task, answer_of_one(net))
        assert row["test_accuracy"] >= 0.95
        assert row["retain_accuracy"] >= 0.99
        assert row["forget_accuracy"] <= row["retain_accuracy"] - 0.03
