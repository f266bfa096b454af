"""That `make gpu` will work where there is a GPU, as far as a CPU can show it."""

import json

import pytest
import torch
from torch.nn.functional import unfold

from starter_kit.training import Recipe
from tests.benchmarks import layers, machine, scale
from tests.benchmarks.gpu import __main__ as gpu
from tests.benchmarks.gpu import steps


@pytest.fixture
def results(tmp_path, monkeypatch):
    """The results file that a measurement writes."""
    monkeypatch.setattr(gpu, "RESULTS", tmp_path)
    monkeypatch.setattr(gpu, "FOR_POOLS", 0)
    monkeypatch.setattr(gpu, "AT_LEAST", 0)
    return tmp_path / f"gpu-{machine.name()}.json"


def test_a_section_that_fails_or_takes_too_long_costs_the_others_nothing(results, monkeypatch):
    monkeypatch.setattr(gpu, "SECTIONS", {"unknown": 60, "layers": 2, "machine": 60, "sharing": 0})
    said = []
    sections = gpu.measure(100, said.append)
    assert json.loads(results.read_text())["sections"] == sections
    assert sections["unknown"] == {"failed": "ended with exit code 2"}
    assert sections["layers"] == {"failed": "not finished in 2 s"}
    assert sections["machine"]["float32_tflops"] > 0.001
    assert gpu.wrong(sections)
    assert any("float32_tflops" in line for line in said)


def test_without_time_nothing_is_begun_and_nothing_counts_as_right(results):
    sections = gpu.measure(-1, lambda text: None)
    assert set(map(str, sections.values())) == {"{'left out': 'there was no time'}"}
    assert gpu.wrong(sections)


def test_a_test_that_does_not_pass_counts_as_wrong():
    assert not gpu.wrong({"right": {"test_one": "passed"}})
    assert gpu.wrong({"right": {"test_one": "passed", "test_other": "skipped: no GPU"}})


@pytest.mark.parametrize("name", ["as built", "contiguous", "Adam in several passes", "bfloat16"])
def test_a_step_of_each_kind_trains(name):
    settings = steps.VARIANTS[name]
    examples = scale.task(retained=128, others=2).retain
    torch.manual_seed(0)
    step = steps._Step(settings, 2, examples)
    before = [weight.clone() for weight in step.fused.parameters()]
    step.several([step.rows])
    assert all(not torch.equal(old, new) for old, new in zip(before, step.fused.parameters(), strict=True))


@pytest.mark.parametrize("network", layers.NETWORKS)
def test_patches_are_those_of_torch(network):
    """And what sums them up is their transpose: <patches(x), y> = <x, summed(y)>."""
    for layer in layers.layers_of(network):
        maps = torch.randn(layer.models, 3, layer.height, layer.width, layer.channels[0], dtype=torch.float64)
        found = layers.patches(layer, maps)
        expected = unfold(maps.permute(0, 1, 4, 2, 3).flatten(0, 1), layer.kernel, 1, layer.padding, layer.stride)
        expected = expected.view(*maps.shape[:2], layer.channels[0], *layer.kernel, -1).permute(0, 1, 5, 3, 4, 2)
        assert torch.equal(found, expected.reshape(found.shape))
        other = torch.randn_like(found)
        torch.testing.assert_close((found * other).sum(), (maps * layers.summed(layer, other)).sum())


def test_the_ways_to_compute_a_layer_agree():
    layer = next(layer for layer in layers.layers_of("digits") if layer.needs_inputs)
    figures = layers.times(layer, "float32")
    assert len(figures) == 9
    assert all(value > 0 for value in figures.values())


def test_the_floor_counts_operations(monkeypatch):
    """Of a product [64, 3072] x [3072, 10]: two per weight and example forward, and two for the gradient."""
    monkeypatch.setattr(machine, "flops_per_second", lambda precision: 1e9)
    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3072, 10))
    examples = scale.task(retained=128, others=2).retain
    seconds = machine.floor_seconds(net, examples, Recipe("sgd", 3, 64, 0.1, 0.0))
    assert seconds == pytest.approx(3 * 128 * 4 * 3072 * 10 / 1e9)
