"""An original model of digits, and what a submission receives with it."""

import copy

import pytest

from starter_kit import tasks
from starter_kit.examples import ExampleLoader
from starter_kit.training import seed_everything, train


@pytest.fixture(scope="session")
def trained():
    """A task and its original model."""
    task = tasks.load("digits")
    seed_everything(0)
    net = task.network()
    train(net, task.train, task.recipe)
    return task, net.train()


@pytest.fixture
def net(trained):
    seed_everything(1)
    return copy.deepcopy(trained[1])


@pytest.fixture
def sets(trained):
    """The retain, forget and validation sets."""
    task = trained[0]
    return task.retain, task.forget, task.validation


@pytest.fixture
def loaders(sets):
    return [ExampleLoader(examples) for examples in sets]
