"""What models answer, batch by batch."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from scoring.jobs.evaluation import answer_of_one, answers
from scoring.judging.confidence import logit_scaled_confidence
from scoring.learners.fused import FusedNetwork, answer_of_all
from starter_kit import tasks
from starter_kit.answers import correct
from tests.toys import part, sequence_task

DIGITS = tasks.load("digits")


def network(seed, task=DIGITS):
    torch.manual_seed(seed)
    return task.network()


@pytest.mark.parametrize("task", [DIGITS, sequence_task()], ids=["classes", "sequences"])
def test_the_answers_are_those_to_the_whole_set_at_once(task):
    net = network(0, task)
    row = answers(task, answer_of_one(net))
    for name, examples in task.sets.items():
        with torch.no_grad():
            logits = net.eval()(examples.inputs)
        share = correct(logits, examples.targets).double().mean().item()
        assert row[f"{name}_accuracy"] == pytest.approx([share])
        if name in ("forget", "test"):
            expected = logit_scaled_confidence(logits.numpy(), examples.targets.numpy())
            np.testing.assert_allclose(row[f"{name}_confidence"], expected[None], rtol=1e-5, atol=1e-5)
    assert {name for name in row if name.endswith("confidence")} == {"forget_confidence", "test_confidence"}


def test_batches_of_any_size_give_the_same_answers():
    net = network(0)
    whole = answers(DIGITS, answer_of_one(net))
    for name, values in answers(replace(DIGITS, at_once=7), answer_of_one(net)).items():
        np.testing.assert_allclose(values, whole[name], rtol=1e-4, atol=1e-4)


def test_no_batch_is_larger_than_it_may_be():
    seen = []

    def answer(inputs):
        seen.append(len(inputs))
        return torch.randn(len(inputs), 4, 10)

    answers(replace(DIGITS, at_once=64), answer, models=4)
    assert max(seen) == 16
    assert sum(seen) == sum(len(examples) for examples in DIGITS.sets.values())


def test_models_side_by_side_are_kept_apart():
    networks = [network(seed) for seed in range(3)]
    together = answers(DIGITS, answer_of_all(FusedNetwork(networks, DIGITS.retain.inputs[:2])), models=3)
    for place, net in enumerate(networks):
        alone = answers(DIGITS, answer_of_one(net))
        for name, values in alone.items():
            np.testing.assert_allclose(together[name][place], values[0], rtol=1e-4, atol=1e-4)


def test_examples_without_a_finite_answer_are_counted():
    def answer(inputs):
        logits = torch.zeros(len(inputs), 1, 10)
        logits[inputs[:, 0, 0, 0, 0] == -1] = float("nan")
        return logits

    marked = DIGITS.forget.inputs.clone()
    marked[[3, 50], 0, 0, 0] = -1
    forget = part(DIGITS.forget, 0, len(DIGITS.forget))
    forget.inputs = marked
    with pytest.raises(ValueError, match="on the forget set 2 of 95 examples get NaN or infinite logits"):
        answers(replace(DIGITS, forget=forget), answer)


def test_answers_with_the_class_axis_last_are_refused():
    """Most language models give [B, L, C]; here it is [B, C, L], as `cross_entropy` expects."""
    task = sequence_task()
    length = task.retain.targets.shape[1]
    expected = rf"expected logits of shape \[B, C, L\] for targets of shape \(97, {length}\)"
    with pytest.raises(ValueError, match=expected):
        answers(task, lambda inputs: torch.zeros(len(inputs), 1, length, 8))


@pytest.mark.parametrize(
    ("shape", "found"), [((10, 2), r"\[1024, 10, 2\]"), ((), r"\[1024\]")], ids=["a sequence", "no classes"]
)
def test_answers_of_the_wrong_shape_are_refused(shape, found):
    expected = r"expected logits of shape \[B, C\] for targets of shape \(1024,\)"
    with pytest.raises(ValueError, match=f"answers with shape {found}; {expected}"):
        answers(DIGITS, lambda inputs: torch.zeros(len(inputs), 1, *shape))


def test_evaluation_mode_is_used_and_no_gradient_kept():
    net = nn.Sequential(nn.Flatten(), nn.Dropout(0.9), nn.Linear(64, 10))
    first, second = (answers(DIGITS, answer_of_one(net)) for _ in range(2))
    np.testing.assert_array_equal(first["test_confidence"], second["test_confidence"])
    assert all(weight.grad is None for weight in net.parameters())
