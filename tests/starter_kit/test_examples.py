"""Examples, batches in both dialects, and loaders."""

import pickle

import numpy as np
import pytest
import torch
from torch.utils.data import ConcatDataset, DataLoader, Subset

from starter_kit.examples import KEYS, ExampleLoader, Examples, _OnGpu, split_into_batches
from tests.toys import part


@pytest.fixture
def examples():
    return Examples(
        inputs=torch.arange(150.0).reshape(150, 1, 1, 1),
        targets=torch.arange(150) % 10,
        image_id=torch.arange(150) + 1000,
        person_id=torch.arange(150) // 30,
    )


def ways_to_load(examples):
    """The kit's loader, and loaders that a submission may build."""
    half = Subset(examples, range(75))
    return {
        "ours": ExampleLoader(examples, 64),
        "own batch size": DataLoader(examples, batch_size=32, shuffle=True),
        "subset": DataLoader(half, batch_size=32, shuffle=True),
        "concat": DataLoader(ConcatDataset([half, half]), batch_size=32, shuffle=True),
    }


@pytest.mark.parametrize("way", ["ours", "own batch size", "subset", "concat"])
def test_both_dialects_agree(examples, way):
    for batch in ways_to_load(examples)[way]:
        inputs, targets = batch
        assert torch.equal(batch["image"], inputs)
        assert torch.equal(batch["age_group"], targets)
        assert torch.equal(batch["image_id"] - 1000, inputs.flatten().long())
        assert torch.equal(batch["person_id"], inputs.flatten().long() // 30)
        assert torch.equal(inputs.flatten().long() % 10, targets)
        assert set(dict(batch)) == set(KEYS)
        assert "image" in batch
        assert "label" not in batch
        with pytest.raises(KeyError, match="it has no 'label'"):
            batch["label"]


@pytest.mark.parametrize("way", ["ours", "own batch size"])
def test_each_pass_has_every_example_once_in_a_new_order(examples, way):
    loader = ways_to_load(examples)[way]
    passes = [torch.cat([inputs for inputs, _ in loader]).flatten() for _ in range(3)]
    for seen in passes:
        assert sorted(seen.tolist()) == list(range(150))
    assert not torch.equal(passes[0], passes[1])
    assert not torch.equal(passes[1], passes[2])


def test_the_order_follows_the_seed(examples):
    loader = ExampleLoader(examples)
    orders = []
    for seed in (5, 5, 6):
        torch.manual_seed(seed)
        orders.append(torch.cat([inputs for inputs, _ in loader]).flatten())
    assert torch.equal(orders[0], orders[1])
    assert not torch.equal(orders[0], orders[2])


def test_our_loader_is_a_real_data_loader(examples):
    loader = ExampleLoader(examples, 64)
    assert isinstance(loader, DataLoader)
    assert loader.dataset is examples
    assert loader.batch_size == 64
    assert [len(targets) for _, targets in loader] == [64, 64, 22]
    assert len(loader) == 3
    assert len(loader.dataset) == 150


def test_a_loader_with_more_batches_than_one_look_up(examples):
    loader = ExampleLoader(examples, 1)
    assert sorted(inputs.item() for inputs, _ in loader) == list(range(150))
    assert len(list(loader)) == len(loader)


def numbered(size, **columns):
    """So many examples whose inputs are their numbers."""
    number = torch.arange(size)
    return Examples(
        **{"inputs": number, "targets": number % 10, "image_id": number, "person_id": number // 2} | columns
    )


@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize(
    ("size", "expected"),
    [
        (1, [1]),
        (2, [2]),
        (63, [63]),
        (64, [64]),
        (65, [65]),
        (66, [64, 2]),
        (128, [64, 64]),
        (129, [64, 65]),
        (130, [64, 64, 2]),
        # More batches than one look-up holds.
        (64 * 64 + 1, [64] * 63 + [65]),
        (65 * 64 + 1, [64] * 64 + [65]),
    ],
)
class TestNoBatchOfOne:
    """Batch norm cannot be trained on one example, so a single trailing example joins the batch before it."""

    def test_in_a_loader(self, size, expected, shuffle):
        loader = ExampleLoader(numbered(size), 64, shuffle)
        seen = [inputs for inputs, _ in loader]
        assert [len(inputs) for inputs in seen] == expected
        assert len(loader) == len(expected)
        order = torch.cat(seen)
        assert torch.equal(order.sort().values if shuffle else order, torch.arange(size))

    def test_in_training(self, size, expected, shuffle):
        rows = torch.randperm(size) if shuffle else torch.arange(size)
        batches = split_into_batches(rows, 64)
        assert [len(batch) for batch in batches] == expected
        assert torch.equal(torch.cat(batches), rows)


def test_all_columns_of_a_longer_last_batch_agree():
    *_, last = ExampleLoader(numbered(129), 64)
    assert len(last[0]) == 65
    assert torch.equal(last["image_id"], last[0])
    assert torch.equal(last["person_id"], last[0] // 2)


@pytest.mark.parametrize("loader", [ExampleLoader, DataLoader])
def test_answers_may_be_sequences(loader):
    """Targets [n, L] and integer inputs pass through as they are."""
    inputs, targets = torch.arange(40).view(10, 4), torch.arange(30).view(10, 3)
    targets[:, 0] = -100
    examples = numbered(10, inputs=inputs, targets=targets)
    for batch in loader(examples, 4, shuffle=True):
        tokens, labels = batch
        assert tokens.dtype == labels.dtype == torch.int64
        assert torch.equal(tokens, inputs[batch["image_id"]])
        assert torch.equal(labels, targets[batch["image_id"]])
    assert torch.equal(examples[3][1], targets[3])


def test_a_batch_is_a_copy(examples):
    for batch in ExampleLoader(examples):
        batch["image"].zero_()
    for batch in DataLoader(examples, batch_size=50):
        batch["image"].zero_()
    assert examples.inputs.sum() == sum(range(150))


def test_single_examples(examples):
    inputs, target = examples[7]
    assert inputs.shape == (1, 1, 1)
    assert target == 7
    assert examples[7]["image_id"] == 1007
    assert examples[-1]["image_id"] == 1149
    with pytest.raises(IndexError, match="index 150 is out of range for 150 examples"):
        examples[150]


def test_batches_travel_between_processes(examples):
    batch = next(iter(DataLoader(examples, batch_size=4)))
    copy = pickle.loads(pickle.dumps(batch))
    assert all(torch.equal(copy[key], batch[key]) for key in KEYS)
    # Not the whole data set with it.
    assert len(pickle.dumps(batch)) < 5000
    loaded = torch.cat([batch["image_id"] for batch in DataLoader(examples, batch_size=64, num_workers=1)])
    assert torch.equal(loaded, examples.image_id)


def test_numpy_reads_what_lies_on_a_gpu():
    """With a tensor on the CPU in its place. What is computed from it is a plain tensor."""
    plain = torch.arange(6.0).reshape(2, 3)
    dealt = plain.as_subclass(_OnGpu)
    np.testing.assert_array_equal(dealt.numpy(), plain.numpy())
    np.testing.assert_array_equal(np.asarray(dealt), plain.numpy())
    assert type(dealt + 1) is torch.Tensor
    assert type(dealt[0]) is torch.Tensor
    assert type(torch.nn.functional.relu(dealt)) is torch.Tensor


def test_a_loaders_processes_get_what_lies_on_a_gpu_from_the_cpu(examples):
    """With a device without values in its place, from which nothing can be read."""
    here = part(examples, 0, 8)
    there = here.to(torch.device("meta"))
    batches = list(DataLoader(there, batch_size=4, num_workers=1, multiprocessing_context="fork"))
    torch.testing.assert_close(torch.cat([inputs for inputs, _ in batches]), here.inputs)
    assert there[0][0].is_meta
