import numpy as np
import pytest
import torch
from torch import nn
from torchvision.models import resnet18

from scoring.jobs.probing import of_all
from scoring.jobs.retrained import RetrainedJob
from scoring.jobs.setting import Setting
from scoring.learners.fused import answer_of_all, train_fused
from scoring.running.backends import processes
from starter_kit.augmentation import CropAndFlip
from starter_kit.errors import MachineError
from starter_kit.examples import Examples
from starter_kit.networks.digit_net import DigitNet
from starter_kit.task import Task
from starter_kit.training import Recipe, seed_everything, train
from tests import gpu
from tests.gpu import networks
from tests.toys import SIZES, sets_of

pytestmark = gpu.pytestmark

SEEDS = (3, 2**63 + 5, 8)


def exact(size, *shape):
    """Random examples in float64, where the order of sums hardly matters."""
    generator = torch.Generator().manual_seed(0)
    numbers = torch.arange(size)
    inputs = torch.randn(size, *shape, generator=generator, dtype=torch.float64)
    examples = Examples(inputs, torch.randint(10, (size,), generator=generator), numbers, numbers)
    return examples.to(torch.device(gpu.DEVICE))


def small():
    return DigitNet().double()


def competition():
    return resnet18(num_classes=10).double()


WEIGHTS = tuple(range(1, 11))
CASES = {
    "sgd": (small, (1, 8, 8), 600, Recipe("sgd", 1, 64, 0.1, 5e-4)),
    "adam, two epochs": (small, (1, 8, 8), 600, Recipe("adam", 2, 64, 1e-3, 5e-3)),
    "classes that count differently": (small, (1, 8, 8), 600, Recipe("sgd", 1, 64, 0.1, 5e-4, WEIGHTS)),
    "shifted and mirrored": (small, (1, 8, 8), 600, Recipe("sgd", 1, 64, 0.1, 5e-4, None, CropAndFlip(1, (0.5,)))),
    "resnet18": (competition, (3, 32, 32), 104, Recipe("adam", 2, 16, 1e-4, 5e-3, WEIGHTS)),
}


@pytest.mark.parametrize("case", CASES)
def test_each_model_is_what_it_is_alone(case):
    network, shape, size, recipe = CASES[case]
    examples = exact(size, *shape)
    together = answer_of_all(train_fused(network, examples, recipe, SEEDS))(of_all(examples.inputs, len(SEEDS)))
    for place, seed in enumerate(SEEDS):
        seed_everything(seed)
        alone = network().to(gpu.DEVICE)
        train(alone, examples, recipe)
        with torch.no_grad():
            torch.testing.assert_close(together[:, place].detach(), alone.eval()(examples.inputs), rtol=1e-9, atol=1e-9)


def test_recorded_steps_train_what_launched_ones_do():
    """In float64, where the kernels that cuDNN chooses differ by nothing that matters."""
    examples, recipe = exact(64 * 6 + 7, 3, 32, 32), Recipe("adam", 2, 64, 1e-4, 5e-3)
    answers = [
        answer_of_all(train_fused(competition, examples, recipe, SEEDS, record=record))(
            of_all(examples.inputs, len(SEEDS))
        ).detach()
        for record in (True, False)
    ]
    torch.testing.assert_close(*answers, rtol=1e-9, atol=1e-9)


def task(network, epochs=1):
    """A few hundred random pictures in the competition's shape: more steps than are launched before one is recorded."""
    generator = torch.Generator().manual_seed(0)
    sizes = SIZES | {"retain": 64 * 6 + 10}
    count = sum(sizes.values())
    inputs = torch.randn(count, 3, 32, 32, generator=generator)
    targets = torch.randint(10, (count,), generator=generator)
    recipe = Recipe("adam", epochs, 64, 1e-4, 5e-3)
    return Task("random", network, recipe, **sets_of(inputs, targets, sizes), module=__name__)


def group(network):
    """The first group of a retrained pool, made by a worker."""
    job = RetrainedJob(Setting(task(network), gpu.DEVICE, seed=0))
    [(_, row)] = processes.run(job, [0], 1)
    assert len(row["seeds"]) == job.size
    assert np.isfinite(row["forget_confidence"]).all()
    return row


def test_a_worker_trains_a_group_by_recorded_steps():
    row = group(networks.plain)
    assert not row["record_failed"]
    assert len({tuple(answers) for answers in row["forget_confidence"].tolist()}) == len(row["seeds"])


def test_a_step_that_cannot_be_recorded_is_launched_and_the_row_says_so():
    assert group(networks.reads_back)["record_failed"]


def test_where_memory_ends_fewer_models_are_trained_at_once():
    assert not group(networks.with_little_memory)["record_failed"]


def test_where_not_even_one_model_fits_the_machine_is_blamed():
    with pytest.raises(MachineError, match="out of memory"):
        group(networks.too_large)


def test_a_fused_network_keeps_its_convolutions_fast_layout():
    """What enters each batch norm lies channels-last, or cuDNN transposes around each call."""
    examples = exact(64, 3, 32, 32)
    fused = train_fused(competition, examples, Recipe("adam", 1, 64, 1e-4, 5e-3), SEEDS)
    layouts = []
    for module in fused.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.register_forward_pre_hook(
                lambda _module, given: layouts.append(given[0].is_contiguous(memory_format=torch.channels_last))
            )
    answer_of_all(fused)(of_all(examples.inputs, len(SEEDS)))
    assert layouts
    assert all(layouts)
