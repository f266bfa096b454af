"""What models answer to probes, and what comes back when they learn again."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from scoring.jobs.evaluation import answer_of_one, answers
from scoring.jobs.probing import RELEARNED, RELEARNING_STEPS, probed, relearned
from scoring.learners.fused import answer_of_all
from scoring.learners.recipe import RecipeLearner
from starter_kit import tasks
from starter_kit.answers import NOT_ASKED, loss_of_each

AUTHORS, CONCEPT, HAZARDS = (tasks.load(name) for name in ("authors", "authors-concept", "hazards"))
BRIEFLY = replace(AUTHORS, recipe=replace(AUTHORS.recipe, epochs=4))
SEEDS = (3, 4)


@pytest.fixture(scope="module")
def net():
    return RecipeLearner().learn(AUTHORS, AUTHORS.train, seed=0)


def test_losses_are_means_over_the_tokens_of_an_answer(net):
    row, probe = probed(AUTHORS, answer_of_one(net), 1), AUTHORS.probes["forget"]
    with torch.no_grad():
        logits = net(probe.perturbed.inputs)
        likely = logits.log_softmax(dim=1).gather(1, probe.perturbed.targets.clamp(min=0).unsqueeze(1)).squeeze(1)
    asked = probe.perturbed.targets != NOT_ASKED
    naive = [-likely[place][asked[place]].mean().item() for place in range(len(asked))]
    np.testing.assert_allclose(row["probe.forget.perturbed"], np.reshape(naive, (1, -1, 3)), rtol=1e-5)
    assert row["probe.forget.answer"].shape == (1, len(probe.answers))


def test_models_speak_token_after_token(net):
    """Where a model is right under teacher forcing, it says the same by itself, and nowhere else."""
    said = probed(AUTHORS, answer_of_one(net), 1)["probe.retain.said"][0]
    examples = AUTHORS.probes["retain"].answers
    true = examples.targets.numpy()
    says_so = ((said == true) | (true == NOT_ASKED)).all(axis=1)
    with torch.no_grad():
        forced = net(examples.inputs).argmax(dim=1).numpy()
    right = ((forced == true) | (true == NOT_ASKED)).all(axis=1)
    np.testing.assert_array_equal(says_so, right)
    assert right.mean() > 0.9


@pytest.mark.parametrize("task", [BRIEFLY, replace(CONCEPT, recipe=replace(CONCEPT.recipe, epochs=2))])
def test_models_side_by_side_answer_as_each_does_alone(task):
    learner = RecipeLearner()
    together = learner.learn_together(task, task.retain, SEEDS)
    row = probed(task, answer_of_all(together), len(SEEDS))
    for place, seed in enumerate(SEEDS):
        alone = probed(task, answer_of_one(learner.learn(task, task.retain, seed)), 1)
        assert set(alone) == set(row)
        for name, values in alone.items():
            if name.endswith("said"):
                assert (row[name][place] == values[0]).mean() > 0.95
            else:
                np.testing.assert_allclose(row[name][place], values[0], rtol=1e-2, atol=1e-2)


def test_batches_of_any_size_give_the_same(net):
    whole = probed(AUTHORS, answer_of_one(net), 1)
    for name, values in probed(replace(AUTHORS, at_once=7), answer_of_one(net), 1).items():
        np.testing.assert_allclose(values, whole[name], rtol=1e-4, atol=1e-4)


def test_a_loss_of_one_class_is_its_cross_entropy():
    logits, targets = torch.randn(5, 3), torch.tensor([0, 1, 2, 0, 1])
    torch.testing.assert_close(
        loss_of_each(logits, targets), torch.nn.CrossEntropyLoss(reduction="none")(logits, targets)
    )


def test_a_model_that_never_knew_learns_nothing_back():
    """And one that only hides what it knows gets it back."""
    learner = RecipeLearner()
    never = learner.learn(HAZARDS, HAZARDS.retain, seed=1)
    before = answers(HAZARDS, answer_of_one(never))["forget_accuracy"].item()
    curve = relearned(HAZARDS, never, answer_of_one(never), 1)[RELEARNED][0]
    assert len(curve) == len(RELEARNING_STEPS)
    assert np.abs(curve - before).max() < 0.12

    hiding = learner.learn(HAZARDS, HAZARDS.train, seed=1)
    with torch.no_grad():
        # Noise hides what a model knows without removing it.
        for weight in hiding.parameters():
            weight.add_(0.12 * weight.std() * torch.randn_like(weight))
    hidden = relearned(HAZARDS, hiding, answer_of_one(hiding), 1)[RELEARNED][0]
    assert hidden[-1] > before + 0.3


def test_tasks_without_harmless_examples_learn_nothing_again(net):
    assert relearned(AUTHORS, net, answer_of_one(net), 1) == {}


def test_nothing_is_trained_while_models_are_only_asked(net):
    before = [weight.clone() for weight in net.parameters()]
    answers(AUTHORS, answer_of_one(net))
    assert all(torch.equal(weight, one) for weight, one in zip(net.parameters(), before, strict=True))
