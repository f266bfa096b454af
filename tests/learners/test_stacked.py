"""Networks without fused layers of their own: mapped over stacked weights, they train as each does alone."""

from dataclasses import replace
from functools import partial

import pytest
import torch
from torch import nn

from scoring.jobs.probing import of_all
from scoring.learners.fused import CannotFuseError, FusedNetwork, StackedNetwork, answer_of_all, fuse, train_fused
from starter_kit import tasks
from starter_kit.answers import loss
from starter_kit.networks.small_transformer import SmallTransformer
from starter_kit.training import seed_everything, train

AUTHORS = tasks.load("authors")
BRIEFLY = replace(AUTHORS.recipe, epochs=3)
MODELS = 3


def test_models_trained_together_are_those_trained_alone():
    together = answer_of_all(train_fused(AUTHORS.network, AUTHORS.retain, BRIEFLY, range(MODELS)))
    answers = together(of_all(AUTHORS.test.inputs, MODELS)).detach()
    for seed in range(MODELS):
        seed_everything(seed)
        net = AUTHORS.network()
        train(net, AUTHORS.retain, BRIEFLY)
        alone = net.eval()(AUTHORS.test.inputs).detach()
        torch.testing.assert_close(answers[:, seed], alone, rtol=1e-3, atol=1e-3)
    assert (answers[:, 0] - answers[:, 1]).abs().max() > 0.1


@pytest.mark.parametrize("name", ["authors", "hazards"])
def test_the_gradients_of_a_step_are_those_of_each_model_alone_to_the_bit(name):
    task, models = tasks.load(name), 16
    networks = []
    for seed in range(models):
        seed_everything(seed)
        networks.append(task.network())
    together = fuse(networks, task.retain.inputs[:2])
    rows = torch.randint(len(task.retain), (64, models))
    inputs, targets = task.retain.take(rows.flatten())
    logits = together(inputs.unflatten(0, rows.shape))
    loss(logits.flatten(0, 1), targets, models=models).backward()
    for place, net in enumerate(networks):
        inputs, targets = task.retain.take(rows[:, place])
        alone = net(inputs)
        assert torch.equal(alone, logits[:, place])
        loss(alone, targets).backward()
        for weight, stacked in zip(net.parameters(), together.parameters(), strict=True):
            assert torch.equal(weight.grad, stacked.grad[place])


def test_a_network_with_layers_that_can_be_fused_still_is():
    digits = tasks.load("digits")
    assert isinstance(fuse([digits.network()], digits.retain.inputs[:2]), FusedNetwork)
    assert isinstance(fuse([AUTHORS.network()], AUTHORS.retain.inputs[:2]), StackedNetwork)


class Doubling(nn.Module):
    """Its code looks at the values."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(4))

    def forward(self, x):
        return x * self.weight if x.sum() > 0 else x


REFUSED = {
    "Dropout": lambda: nn.Sequential(nn.Embedding(5, 4), nn.Dropout()),
    "BatchNorm1d": lambda: nn.Sequential(nn.Linear(4, 4), nn.LayerNorm(4), nn.BatchNorm1d(4)),
    "cannot be mapped over models": Doubling,
}


@pytest.mark.parametrize("reason", REFUSED)
def test_what_cannot_be_mapped_says_why(reason):
    inputs = torch.zeros(2, 3, dtype=torch.int64) if reason == "Dropout" else torch.ones(2, 4)
    networks = [REFUSED[reason]().eval() for _ in range(2)]
    with pytest.raises(CannotFuseError, match=reason):
        StackedNetwork(networks, inputs)


@pytest.mark.parametrize("blocks", [1, 2])
def test_a_position_sees_none_that_come_later(blocks):
    torch.manual_seed(0)
    net = SmallTransformer(words=11, length=9, blocks=blocks)
    tokens = torch.randint(11, (4, 9))
    changed = tokens.clone()
    changed[:, 6] = (changed[:, 6] + 1) % 11
    with torch.no_grad():
        before, after = net(tokens), net(changed)
    torch.testing.assert_close(before[:, :, :6], after[:, :, :6])
    assert (before[:, :, 6:] - after[:, :, 6:]).abs().amax(dim=(0, 1)).gt(1e-4).all()


@pytest.mark.parametrize("blocks", [1, 2])
def test_a_network_that_answers_the_last_positions_answers_them_the_same(blocks):
    make = partial(SmallTransformer, words=11, length=9, blocks=blocks)
    torch.manual_seed(0)
    every = make()
    torch.manual_seed(0)
    last = make(answers=4)
    tokens = torch.randint(11, (5, 9))
    with torch.no_grad():
        torch.testing.assert_close(last(tokens), every(tokens)[:, :, 5:])
