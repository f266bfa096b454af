from dataclasses import replace

import torch

from starter_kit import tasks
from starter_kit.training import seed_everything, train


def trained(seed, **changes):
    task = tasks.load("digits")
    seed_everything(seed)
    net = task.network()
    train(net, task.retain, replace(task.recipe, epochs=1, **changes))
    return torch.cat([value.flatten().double() for value in net.state_dict().values()])


def test_a_model_is_a_function_of_its_seed():
    assert torch.equal(trained(1), trained(1))
    assert not torch.equal(trained(1), trained(2))


def test_each_part_of_the_recipe_matters():
    plain = trained(1)
    for change in ({"batch_size": 32}, {"learning_rate": 0.05}, {"optimizer": "adam"}, {"weight_decay": 0.0}):
        assert not torch.equal(trained(1, **change), plain), change


def test_the_smaller_last_batch_is_used():
    net = tasks.load("digits").network()
    task = tasks.load("digits")
    train(net, task.retain, replace(task.recipe, epochs=3))
    steps = -(-len(task.retain) // task.recipe.batch_size)
    assert len(task.retain) % task.recipe.batch_size
    assert net.bn1.num_batches_tracked == 3 * steps
