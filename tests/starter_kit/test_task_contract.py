"""What a task must fulfil: one broken toy task per shortfall, and the sentence that it gets."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from torch import nn

from starter_kit.augmentation import CropAndFlip
from starter_kit.examples import Examples
from starter_kit.probes import Probe
from starter_kit.task import Task
from starter_kit.task_contract import COLUMNS, shortfalls
from starter_kit.training import Recipe, seed_everything


def small_network() -> nn.Module:
    return nn.Sequential(nn.Linear(5, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 3))


def constant_network() -> nn.Module:
    net = small_network()
    for weight in net.parameters():
        nn.init.constant_(weight, 0.1)
    return net


def unseeded_network() -> nn.Module:
    net = small_network()
    generator = torch.Generator()
    generator.seed()
    nn.init.normal_(net[0].weight, generator=generator)
    return net


def embedding_network() -> nn.Module:
    return nn.Sequential(nn.Embedding(10, 3), nn.Flatten(), nn.Linear(15, 3))


def answers_last() -> nn.Module:
    """Logits [B, L, C], the order of most language models."""
    return nn.Sequential(nn.Linear(5, 12), nn.Unflatten(1, (4, 3)))


def answers_second() -> nn.Module:
    return nn.Sequential(nn.Linear(5, 12), nn.Unflatten(1, (3, 4)))


def no_network() -> dict:
    return {}


class ReturnsAPair(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.net = small_network()

    def forward(self, x):
        return self.net(x), x


def examples(first: int, size: int, **changes) -> Examples:
    columns = {
        "inputs": torch.linspace(0, 1, 5 * size).view(size, 5),
        "targets": torch.arange(size) % 3,
        "image_id": torch.arange(first, first + size),
        "person_id": torch.arange(first, first + size) // 2,
    }
    return Examples(**columns | changes)


TOY = Task(
    name="toy",
    network=small_network,
    recipe=Recipe("adam", epochs=1, batch_size=4, learning_rate=1e-3, weight_decay=0),
    retain=examples(0, 10),
    forget=examples(10, 4),
    validation=examples(14, 4),
    test=examples(18, 4),
)


def with_column(name, **changes):
    """The toy task with other columns in one of its sets."""
    before = dict(zip(COLUMNS, TOY.sets[name].columns, strict=True))
    return replace(TOY, **{name: Examples(**before | changes)})


def with_targets(targets_of):
    """The toy task with other targets in all of its sets."""
    sets = {}
    for name, one in TOY.sets.items():
        sets[name] = Examples(one.inputs, targets_of(len(one)), one.image_id, one.person_id)
    return replace(TOY, **sets)


def with_inputs(inputs_of, **changes):
    """The toy task with other inputs in all of its sets."""
    sets = {}
    for name, one in TOY.sets.items():
        sets[name] = Examples(inputs_of(len(one)), one.targets, one.image_id, one.person_id)
    return replace(TOY, **sets, **changes)


def with_recipe(**changes):
    return replace(TOY, recipe=replace(TOY.recipe, **changes))


def sequences(size: int) -> torch.Tensor:
    return (torch.arange(4 * size) % 3).view(size, 4)


NAN = torch.full((4, 5), torch.nan)


BROKEN = [
    (replace(TOY, judged=3), "judged: expected a number of target positions, 1 to 0, found 3."),
    (replace(TOY, at_once=0), "at_once: expected at least 1, found 0."),
    (
        replace(TOY, request="Forget it."),
        "described: a request in words needs the questions and answers that it describes; found none.",
    ),
    (
        replace(TOY, relearning=Examples(*(column[:2] for column in (torch.zeros(3, 4), *TOY.forget.columns[1:])))),
        "relearning: expected examples like those of forget, found float32 [2, 4] and int64 [2].",
    ),
    (
        replace(TOY, probes={"forget": Probe(TOY.forget)}),
        "probe forget: expected answers with a tokenizer, to show them in words; found none.",
    ),
    (
        replace(TOY, name="other"),
        "name: expected 'toy' (the file's name, then any size but the default), found 'other'.",
    ),
    (replace(TOY, recipe={"epochs": 3}), "recipe: expected a Recipe of starter_kit.training, found dict."),
    (with_recipe(optimizer="sdg"), "recipe: expected the optimizer 'sgd', 'adam' or 'adamw', found 'sdg'."),
    (with_recipe(epochs=0), "recipe: expected epochs and batch_size >= 1, found 0 and 4."),
    (with_recipe(batch_size=0), "recipe: expected epochs and batch_size >= 1, found 1 and 0."),
    (with_recipe(learning_rate=0.0), "recipe: expected learning_rate > 0 and weight_decay >= 0, found 0.0 and 0."),
    (with_recipe(weight_decay=-1), "recipe: expected learning_rate > 0 and weight_decay >= 0, found 0.001 and -1."),
    (with_recipe(class_weights=(1, -1, 1)), "recipe: expected finite class weights >= 0, found (1, -1, 1)."),
    (with_recipe(class_weights=(1, 2)), "recipe: expected 3 class weights, one per class of the logits; found 2."),
    (
        with_recipe(augmentation=CropAndFlip(1, (0.0,))),
        "recipe: its augmentation expects pictures [n, C, H, W] and one fill value per channel; "
        "found inputs [10, 5] and 1 fill values.",
    ),
    (
        replace(TOY, test=(TOY.test.inputs, TOY.test.targets)),
        "test: expected Examples of starter_kit.examples, found tuple.",
    ),
    (
        with_column("retain", targets=np.arange(10) % 3),
        "retain: expected a tensor in every column, found targets as ndarray.",
    ),
    (
        with_column("forget", targets=torch.arange(3)),
        "forget: expected one row per example in every column, "
        "found inputs [4, 5], targets [3], image_id [4], person_id [4].",
    ),
    (replace(TOY, retain=examples(0, 1)), "retain: expected at least 2 examples, found 1."),
    (replace(TOY, validation=examples(0, 0)), "validation: expected at least 1 example, found 0."),
    (
        with_column("retain", inputs=TOY.retain.inputs.double()),
        "retain: expected inputs as float32, or int64 for tokens; found float64 [10, 5].",
    ),
    (with_column("test", inputs=NAN), "test: expected finite inputs, but 4 of 4 examples contain NaN or infinity."),
    (
        with_column("test", targets=torch.ones(4)),
        "test: expected targets as int64 of shape [n] or [n, L], found float32 [4].",
    ),
    (with_column("test", targets=torch.tensor([0, 1, 2, -1])), "test: expected classes >= 0 as targets, found -1."),
    (
        with_column("test", targets=torch.tensor([[0, 1], [-100, 1], [0, -100], [-100, -100]])),
        "test: expected a target besides -100 in each example, but 1 of 4 lack one.",
    ),
    (
        with_column("test", targets=torch.tensor([[0, 1], [-100, 1], [0, -7], [-100, 0]])),
        "test: expected classes >= 0 as targets, found -7.",
    ),
    (
        with_column("forget", person_id=torch.zeros(4)),
        "forget: expected person_id as int64 of shape [n], found float32 [4].",
    ),
    (
        with_column("forget", image_id=torch.zeros(4, 1, dtype=torch.int64)),
        "forget: expected image_id as int64 of shape [n], found int64 [4, 1].",
    ),
    (
        with_column("test", inputs=torch.zeros(4, 6)),
        "inputs: expected one dtype and one shape per example in all sets, found "
        "retain float32 [10, 5], forget float32 [4, 5], validation float32 [4, 5], test float32 [4, 6].",
    ),
    (
        with_column("forget", targets=sequences(4)),
        "targets: expected one dtype and one shape per example in all sets, found "
        "retain int64 [10], forget int64 [4, 4], validation int64 [4], test int64 [4].",
    ),
    (
        with_column("test", image_id=torch.arange(15, 19)),
        "image_id: expected each number once in the four sets together, found 3 repeated.",
    ),
    (
        with_column("forget", person_id=torch.tensor([9, 9, 2, 3])),
        "person_id: a request covers all training examples of a person, "
        "but both retain and forget have examples of person 2.",
    ),
    (
        replace(TOY, network=small_network()),
        "network: expected a class or function that returns a new network each time, found a network.",
    ),
    (
        replace(TOY, network=lambda: small_network()),
        "network: expected a class or function at the top level of a file, or functools.partial of one, "
        "because worker processes receive it by pickle: ",
    ),
    (replace(TOY, network=no_network), "network: expected a torch.nn.Module, found dict."),
    (
        replace(TOY, network=unseeded_network),
        "network: one seed gave different weights twice. Draw all weights from torch's global generator.",
    ),
    (
        replace(TOY, network=constant_network),
        "network: two seeds gave the same weights. Draw them from torch's global generator and set no seed.",
    ),
    (
        replace(TOY, network=partial(nn.Linear, 6, 3)),
        "network: it fails on inputs float32 [2, 5] of retain: mat1 and mat2 shapes cannot be multiplied",
    ),
    (
        with_inputs(lambda size: torch.arange(5 * size).view(size, 5) % 11, network=embedding_network),
        "network: it fails on inputs int64 [2, 5] of retain: index out of range",
    ),
    (
        replace(TOY, network=ReturnsAPair),
        "network: expected logits [2, C] for two examples, the class axis second; found tuple.",
    ),
    (
        replace(TOY, network=answers_second),
        "network: expected logits [2, C] for two examples, the class axis second; found float32 [2, 3, 4].",
    ),
    (
        replace(with_targets(sequences), network=answers_last),
        "network: expected logits [2, C, 4] for two examples, the class axis second; found float32 [2, 4, 3].",
    ),
    (
        with_column("validation", targets=torch.tensor([0, 1, 2, 3])),
        "network: expected logits for at least 4 classes, found 3.",
    ),
    (replace(TOY, network=partial(nn.Linear, 5, 1)), "network: expected logits for at least 3 classes, found 1."),
]


class TestContract:
    @pytest.mark.parametrize(
        "toy",
        [
            TOY,
            with_recipe(class_weights=(1.0, 0.5, 2.0)),
            replace(with_targets(sequences), network=answers_second),
            with_inputs(lambda size: torch.arange(5 * size).view(size, 5) % 10, network=embedding_network),
            # Held-out examples may be of the people who are to be forgotten.
            with_column("test", person_id=TOY.forget.person_id),
        ],
    )
    def test_a_task_that_fulfils_it(self, toy):
        assert shortfalls(toy, "toy") == []

    @pytest.mark.parametrize(("toy", "sentence"), BROKEN)
    def test_each_shortfall_has_a_sentence(self, toy, sentence):
        (found,) = shortfalls(toy, "toy")
        assert found == sentence or (not sentence.endswith(".") and found.startswith(sentence))

    def test_all_shortfalls_are_listed(self):
        task = replace(with_column("test", inputs=NAN), name="other", retain=examples(0, 1))
        assert [sentence.split(":")[0] for sentence in shortfalls(task, "toy")] == ["name", "retain", "test"]

    def test_checking_leaves_the_random_numbers_alone(self):
        seed_everything(3)
        expected = torch.rand(3)
        seed_everything(3)
        shortfalls(TOY)
        assert torch.equal(torch.rand(3), expected)
