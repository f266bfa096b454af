"""How one model of a task is trained."""

from dataclasses import replace

import pytest
import torch

from starter_kit import tasks
from starter_kit.augmentation import CropAndFlip
from starter_kit.training import Recipe, optimizer_of, schedule_of, seed_everything, train
from tests.toys import part


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
    for change in (
        {"batch_size": 32},
        {"learning_rate": 0.05},
        {"optimizer": "adam"},
        {"weight_decay": 0.0},
        {"class_weights": (1.0, *[2.0] * 9)},
        {"augmentation": CropAndFlip(1, (0.0,))},
    ):
        assert not torch.equal(trained(1, **change), plain), change


def test_the_smaller_last_batch_is_used():
    task = tasks.load("digits")
    net = task.network()
    train(net, task.retain, replace(task.recipe, epochs=3))
    steps = -(-len(task.retain) // task.recipe.batch_size)
    assert len(task.retain) % task.recipe.batch_size
    assert net.bn1.num_batches_tracked == 3 * steps


def test_a_single_trailing_example_joins_the_last_batch():
    """Batch norm cannot be trained on one example."""
    task = tasks.load("digits")
    net = task.network()
    train(net, part(task.retain, 0, 129), replace(task.recipe, epochs=3, batch_size=64))
    assert net.bn1.num_batches_tracked == 3 * 2


def test_equal_class_weights_change_nothing():
    torch.testing.assert_close(trained(1, class_weights=(3.0,) * 10), trained(1), rtol=1e-3, atol=1e-3)


def test_the_rate_rises_and_then_falls_step_by_step():
    recipe = Recipe("adamw", epochs=4, batch_size=10, learning_rate=0.5, weight_decay=0.0, warm_up=0.25)
    optimizer = optimizer_of(recipe, torch.nn.Linear(2, 2).parameters())
    # 45 examples in batches of 10 are five steps per epoch, twenty in all.
    schedule = schedule_of(recipe, optimizer, examples=45)
    rates = []
    for _ in range(20):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    assert rates[:5] == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.5])
    assert rates[5] == pytest.approx(0.5)
    assert rates[5:] == sorted(rates[5:], reverse=True)
    assert 0 < rates[-1] < 0.01


def test_views_are_shifted_and_mirrored_pictures():
    """Witness: the same windows, cut out of padded pictures one by one."""
    pictures = torch.rand(50, 3, 6, 8)
    views = CropAndFlip(2, (7.0, 8.0, 9.0))
    drawn = views.draw(len(pictures))
    seen = views.apply(pictures, drawn)
    assert set(drawn[:, 0].tolist()) == set(drawn[:, 1].tolist()) == set(range(5))
    for picture, view, (top, left, mirrored) in zip(pictures, seen, drawn.tolist(), strict=True):
        padded = torch.stack(
            [torch.nn.functional.pad(channel, (2,) * 4, value=7.0 + at) for at, channel in enumerate(picture)]
        )
        window = padded[:, top : top + 6, left : left + 8]
        assert torch.equal(view, window.flip(2) if mirrored else window)
