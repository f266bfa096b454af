import weakref
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from torch import nn
from torchvision.models import resnet18

from scoring.jobs.evaluation import answer_of_one, answers
from scoring.jobs.job import AnotherWayError
from scoring.jobs.probing import of_all
from scoring.jobs.retrained import RetrainedJob
from scoring.jobs.setting import Setting
from scoring.learners import recipe as recipe_module
from scoring.learners.fused import CannotFuseError, FusedNetwork, answer_of_all, train_fused
from scoring.learners.fused.layers import FusedConv2d
from scoring.learners.fused.recording import RecordedSteps
from scoring.learners.fused.training import advance_one_by_one
from scoring.learners.recipe import RecipeLearner
from scoring.running import backends
from scoring.running import pools as pools_module
from starter_kit import tasks
from starter_kit.augmentation import CropAndFlip
from starter_kit.examples import Examples
from starter_kit.training import Recipe, optimizer_of, schedule_of, seed_everything, train
from tests.conftest import make_pools
from tests.toys import part

SEEDS = (3, 2**63 + 5, 8)


def mlp():
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Linear(32, 10)).double()


def exact(examples):
    """The examples in float64, where the order of sums hardly matters. In float32 a difference grows step by step."""
    return Examples(examples.inputs.double(), examples.targets, examples.image_id, examples.person_id)


def exact_network():
    return tasks.load("digits").network().double()


def pictures(size):
    """Random pictures in the competition's shape."""
    generator = torch.Generator().manual_seed(0)
    numbers = torch.arange(size)
    inputs = torch.randn(size, 3, 32, 32, generator=generator, dtype=torch.float64)
    return Examples(inputs, torch.randint(10, (size,), generator=generator), numbers, numbers)


DIGITS = exact_network, exact(tasks.load("digits").retain)
ONE_TOO_MANY = part(DIGITS[1], 0, 65)
RESNET = lambda: resnet18(num_classes=10).double(), pictures(40)
CASES = {
    "digits, a whole epoch": (*DIGITS, Recipe("sgd", 1, 64, 0.1, 5e-4)),
    "digits, two epochs of Adam": (*DIGITS, Recipe("adam", 2, 64, 0.001, 5e-3)),
    "resnet18, some steps": (*RESNET, Recipe("sgd", 2, 16, 0.1, 5e-4)),
    "digits, classes that count differently": (*DIGITS, Recipe("sgd", 1, 64, 0.1, 5e-4, tuple(range(1, 11)))),
    "digits, a larger last batch": (
        exact_network,
        ONE_TOO_MANY,
        Recipe("sgd", 2, 32, 0.1, 5e-4),
    ),
    "a table": (mlp, DIGITS[1], Recipe("adam", 1, 64, 1e-3, 0.0, tuple(range(1, 11)))),
    "digits, shifted and mirrored": (*DIGITS, Recipe("sgd", 1, 64, 0.1, 5e-4, None, CropAndFlip(1, (0.5,)))),
}


@pytest.mark.parametrize("case", CASES)
def test_each_model_is_what_it_is_alone(case):
    network, examples, recipe = CASES[case]
    assert len(examples) % recipe.batch_size, "a smaller or larger last batch must occur"
    together = train_fused(network, examples, recipe, SEEDS)
    norms = [module for module in together.modules() if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d)]
    for place, seed in enumerate(SEEDS):
        seed_everything(seed)
        alone = network()
        train(alone, examples, recipe)
        alone_norms = [module for module in alone.modules() if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d)]
        for norm, alone_norm in zip(norms, alone_norms, strict=True):
            for name in ("running_mean", "running_var", "weight", "bias"):
                found = getattr(norm, name).chunk(len(SEEDS))[place]
                torch.testing.assert_close(found, getattr(alone_norm, name), rtol=1e-9, atol=1e-9)
            assert norm.num_batches_tracked == alone_norm.num_batches_tracked
        with torch.no_grad():
            found = answer_of_all(together)(of_all(examples.inputs, len(SEEDS)))[:, place]
            torch.testing.assert_close(found, alone.eval()(examples.inputs), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    ("size", "stride", "kernel"), [(1, 1, (1, 1)), (2, 2, (2, 2)), (2, 1, (3, 3)), (4, 2, (3, 3)), (8, 1, (3, 3))]
)
def test_only_taps_that_never_meet_data_are_left_out(size, stride, kernel):
    layers = [nn.Conv2d(3, 5, 3, stride=stride, padding=1) for _ in range(2)]
    together = FusedConv2d(layers, (size, size))
    assert together.weight.shape == (10, 3, *kernel)
    inputs = torch.randn(4, 6, size, size)
    expected = torch.cat([layer(part) for layer, part in zip(layers, inputs.split(3, dim=1), strict=True)], dim=1)
    torch.testing.assert_close(together(inputs), expected)


def test_a_resnet_at_32_pixels_carries_only_the_weights_that_matter():
    together = FusedNetwork([resnet18(num_classes=10)], torch.zeros(1, 3, 32, 32))
    weights = [
        sum(weight.numel() for weight in network.parameters()) for network in (together, resnet18(num_classes=10))
    ]
    assert weights[1] - weights[0] == pytest.approx(6.95e6, rel=0.001)


class Mixing(nn.Sequential):
    """Its forward code is no layer, and looks across channels."""

    def forward(self, x):
        return super().forward(torch.softmax(x, dim=1))


class OwnWeight(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1))

    def forward(self, x):
        return self.scale * x


def network_of(*layers, kind=nn.Sequential):
    return lambda: kind(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 10))


UNUSUAL = {
    "it contains GroupNorm": network_of(nn.Conv2d(1, 4, 3), nn.GroupNorm(2, 4)),
    "it contains Dropout": network_of(nn.Conv2d(1, 4, 3), nn.Dropout()),
    "it contains a batch norm without running statistics": network_of(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4, track_running_stats=False)
    ),
    "it contains OwnWeight": network_of(nn.Conv2d(1, 4, 3), OwnWeight()),
    "groups, dilation or non-zero padding": network_of(nn.Conv2d(1, 4, 3, dilation=2)),
    "padding 'same'": network_of(nn.Conv2d(1, 4, 3, padding="same")),
    "mixes channels of different models": network_of(nn.Conv2d(1, 4, 3), kind=Mixing),
}


@pytest.mark.parametrize("reason", UNUSUAL)
def test_a_network_that_cannot_be_fused_is_refused(reason):
    networks = []
    for seed in range(2):
        torch.manual_seed(seed)
        network = UNUSUAL[reason]()
        for parameter in network.parameters():
            nn.init.normal_(parameter)
        networks.append(network)
    with pytest.raises(CannotFuseError, match=reason):
        FusedNetwork(networks, torch.randn(2, 1, 8, 8))


def short_task(**changes):
    task = tasks.load("digits")
    return replace(task, recipe=replace(task.recipe, epochs=1), **changes)


def dropout_network():
    return nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Dropout(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 10)
    )


NOT_MAPPED = "and cannot be mapped: it contains BatchNorm2d"


def test_what_cannot_be_fused_is_trained_one_at_a_time(tmp_path, capsys):
    task = short_task(network=dropout_network)
    assert RecipeLearner().why_one_at_a_time(task) == f"it contains Dropout, {NOT_MAPPED}"
    pools = make_pools(tmp_path)
    pools = replace(pools, setting=replace(pools.setting, task=task))
    outputs = pools.retrained(3)
    assert (
        f"one model at a time, because this network cannot be fused: it contains Dropout, {NOT_MAPPED}."
        in capsys.readouterr().err
    )
    seed_everything(int(outputs.seeds[2]))
    net = task.network()
    train(net, task.retain, task.recipe)
    row = answers(task, answer_of_one(net))
    np.testing.assert_array_equal(outputs.forget_confidence[2], row["forget_confidence"][0])


def test_out_of_memory_halves_how_many_are_trained_at_once(monkeypatch):
    tried = []

    def scarce(network, examples, recipe, seeds, report, record):
        tried.append(len(seeds))
        if len(seeds) > 2:
            raise torch.OutOfMemoryError("none left")
        return train_fused(network, examples, recipe, seeds, report, record)

    task = short_task()
    task = replace(task, network=exact_network, **{name: exact(examples) for name, examples in task.sets.items()})
    job = RetrainedJob(Setting(task, "cpu", 0))
    plenty = job.prepare()(0)
    monkeypatch.setattr(recipe_module, "train_fused", scarce)
    run = job.prepare()
    row = run(0)
    assert tried == [8, 4, 2, 2, 2, 2]
    np.testing.assert_array_equal(row["seeds"], plenty["seeds"])
    np.testing.assert_allclose(row["forget_confidence"], plenty["forget_confidence"], atol=1e-6)
    run(1)
    assert tried[6:] == [2, 2, 2, 2], "later groups have to know"


def test_out_of_memory_for_a_single_model_is_raised(monkeypatch):
    def none_left(*_):
        raise torch.OutOfMemoryError("none left")

    monkeypatch.setattr(RecipeLearner, "learn", none_left)
    monkeypatch.setattr(recipe_module, "train_fused", none_left)
    with pytest.raises(torch.OutOfMemoryError):
        RetrainedJob(Setting(short_task(), "cpu", 0)).prepare()(0)


@pytest.mark.parametrize(("whole", "last"), [(10, 3), (10, 0), (2, 1), (1, 0), (4, 2)])
def test_recorded_steps_go_over_the_batches_that_plain_ones_do(whole, last):
    """With a recorder that runs its record when it is replayed, as a GPU's does. One record serves all epochs."""
    batches = [torch.full((4, 2), float(place)) for place in range(whole)]
    batches += [torch.full((last, 2), -1.0)] if last else []
    seen, records = {"plain": [], "recorded": []}, []

    def step(name, rows):
        seen[name].append((len(rows), rows[0, 0].item()))

    def capture(step, rows):
        records.append(rows)
        return lambda: step(rows)

    recorded = RecordedSteps(partial(step, "recorded"), capture)
    for _ in range(3):
        advance_one_by_one(partial(step, "plain"), batches)
        recorded(batches)
    assert seen["recorded"] == seen["plain"]
    assert len(records) == (3 * whole > 3)


@pytest.mark.parametrize(
    ("error", "changes"),
    [
        (torch.OutOfMemoryError("none left"), {"at_once": 8}),
        (RuntimeError("CUDA error: out of memory"), {"at_once": 8}),
        (RuntimeError("operation not permitted when stream is capturing"), {"record": False}),
    ],
    ids=["memory", "memory within CUDA", "not permitted"],
)
def test_after_a_record_that_failed_another_process_goes_on_in_another_way(monkeypatch, error, changes):
    def refuse(step, rows):
        raise error

    def on_a_gpu_of_the_test(network, examples, recipe, seeds, report, record):
        if record and len(seeds) >= 8:
            RecordedSteps(lambda rows: None, refuse)(torch.arange(30.0).split(4))
        return train_fused(network, examples, recipe, seeds, report, record)

    monkeypatch.setattr(recipe_module, "train_fused", on_a_gpu_of_the_test)
    job = RetrainedJob(Setting(short_task(), "cpu", 0))
    with pytest.raises(AnotherWayError) as caught:
        job.prepare()(0)
    assert caught.value.changes == changes
    [(_, row)] = backends.load("serial").run(job, [0], 1)
    assert len(row["seeds"]) == 16  # For memory, after two attempts: with 8 at once, and with 4.
    assert row["record_failed"] == (changes == {"record": False})


def test_a_record_that_failed_is_in_the_report(tmp_path, monkeypatch):
    monkeypatch.setattr(pools_module, "RetrainedJob", partial(RetrainedJob, record=False))
    pools = replace(make_pools(tmp_path), setting=Setting(short_task(), "cpu", 0))
    pools.retrained(17)
    assert pools.remarks == ["2 of 2 groups of retrained models were slow: their steps could not be recorded."]


@pytest.mark.parametrize(("kind", "warm_up"), [("sgd", 0), ("adam", 0), ("adamw", 0.4)])
def test_a_rate_in_a_tensor_gives_the_same_updates(kind, warm_up):
    """On a GPU the rate lies in memory, where a recorded step reads it."""
    nets = []
    for tensor in (False, True):
        torch.manual_seed(0)
        net = nn.Linear(7, 3)
        recipe = Recipe(kind, 5, 4, 0.1, 5e-4, warm_up=warm_up)
        optimizer = optimizer_of(recipe, net.parameters())
        if tensor:
            for group in optimizer.param_groups:
                group["lr"] = torch.tensor(group["lr"])
        schedule = schedule_of(recipe, optimizer, examples=4)
        for _ in range(recipe.epochs):
            optimizer.zero_grad()
            (net(torch.ones(2, 7)) ** 2).sum().backward()
            optimizer.step()
            schedule.step()
        nets.append(net)
    torch.testing.assert_close(nets[1].weight, nets[0].weight, rtol=1e-5, atol=1e-7)
    assert not torch.equal(nets[0].weight, nn.Linear(7, 3).weight)


def test_groups_do_not_depend_on_how_many_models_are_asked_for(tmp_path):
    pools = [replace(make_pools(tmp_path / name), setting=Setting(short_task(), "cpu", 0)) for name in ("few", "many")]
    few, many = pools[0].retrained(5), pools[1].retrained(11)
    np.testing.assert_array_equal(few.forget_confidence, many.forget_confidence[:5])
    assert len(set(many.seeds.tolist())) == 11
    np.testing.assert_array_equal(pools[0].retrained(11).forget_confidence, many.forget_confidence)


def test_no_more_models_are_held_than_are_trained_at_once():
    alive = weakref.WeakSet()
    most = 0

    def network():
        nonlocal most
        net = tasks.load("digits").network()
        alive.add(net)
        most = max(most, len(alive))
        return net

    job = RetrainedJob(Setting(short_task(network=network), "cpu", 0))
    assert job.size == 16
    run = job.prepare()
    most = 0
    for group in range(3):
        run(group)
    assert most == 16


def wide(channels):
    """A convolution whose output has 64 pixels per channel, and little besides."""
    return nn.Sequential(nn.Conv2d(1, channels, 3, padding=1), nn.AdaptiveAvgPool2d(1), nn.Flatten())


@pytest.mark.parametrize(("megabytes", "at_once"), [(0.1, 16), (1.9, 16), (2.1, 8), (5, 4), (15.5, 2), (100, 2)])
def test_the_larger_a_network_the_fewer_are_trained_at_once(megabytes, at_once):
    channels = int(megabytes * 2**20 / (4 * 64 * 66))
    task = short_task(network=partial(wide, channels))
    assert RecipeLearner().group_size(task, "cpu") == at_once


@pytest.mark.parametrize(("name", "at_once"), [("digits", 16), ("faces:600", 2)])
def test_the_networks_of_the_kit_have_the_sizes_that_were_measured(name, at_once):
    assert RecipeLearner().group_size(tasks.load(name), "cpu") == at_once


def test_epoch_after_epoch_is_reported():
    task = short_task()
    task = replace(task, recipe=replace(task.recipe, epochs=4))
    shares = {"alone": [], "together": []}
    RecipeLearner().learn(task, task.forget, 0, shares["alone"].append)
    RecipeLearner().learn_together(task, task.forget, [0, 1], shares["together"].append)
    assert shares["alone"] == shares["together"] == [0.25, 0.5, 0.75, 1.0]


def test_a_group_made_in_parts_reports_what_is_done_of_all_of_it(monkeypatch):
    monkeypatch.setattr(RecipeLearner, "why_one_at_a_time", lambda *_: "for the test")
    monkeypatch.setattr(RecipeLearner, "group_size", lambda *_: 2)
    shares = []
    task = short_task()
    RetrainedJob(Setting(replace(task, recipe=replace(task.recipe, epochs=2)), "cpu", 0)).prepare(shares.append)(0)
    assert shares == [0.25, 0.5, 0.75, 1.0]
