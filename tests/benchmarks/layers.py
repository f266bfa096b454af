"""Convolutions of many models, layer by layer: one grouped call against im2col with a batched matrix product.

Forward and backward, in the default precision. On a GPU also without TF32 and in bfloat16, to inform the choice of
precision.
"""

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.functional import unfold
from torchvision.models import resnet18

from scoring.learners.fused import FusedNetwork
from scoring.learners.fused.layers import FusedConv2d
from starter_kit.networks.digit_net import DigitNet
from tests.benchmarks import machine

ROUNDS = 5
BATCH = 64
NETWORKS: dict[str, tuple[Callable[[], nn.Module], tuple[int, int, int]]] = {
    "digits": (DigitNet, (1, 8, 8)),
    "resnet18": (partial(resnet18, num_classes=10), (3, 32, 32)),
}
MODELS = {"digits": 32, "resnet18": 32} if machine.DEVICE == "cuda" else {"digits": 8, "resnet18": 2}


@contextmanager
def _no_tf32() -> Iterator[None]:
    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = False
    yield
    torch.backends.cudnn.allow_tf32 = before


def measure() -> dict[str, float]:
    """Milliseconds per model, forward and backward, for every shape of layer and both implementations."""
    torch.manual_seed(0)
    precisions = {"": nullcontext}
    if machine.DEVICE == "cuda":
        precisions |= {
            "_float32": _no_tf32,
            "_bfloat16": partial(torch.autocast, "cuda", torch.bfloat16),
        }
    figures: dict[str, float] = {}
    for network in NETWORKS:
        for name, (layer, inputs) in _layers(network).items():
            for ending, precision in precisions.items():
                with precision():
                    figures |= _both_ways(f"{network}_{name}{ending}_ms", layer, inputs, MODELS[network])
    return figures


def _layers(network: str) -> dict[str, tuple[FusedConv2d, Tensor]]:
    """The fused convolutions of a network, one of each shape, with their inputs."""
    make, shape = NETWORKS[network]
    fused = FusedNetwork([make() for _ in range(MODELS[network])], torch.rand(2, *shape)).to(machine.DEVICE)
    found: dict[str, tuple[FusedConv2d, Tensor]] = {}
    seen: set[tuple] = set()

    def note(name: str) -> Callable:
        def hook(module: FusedConv2d, arguments: tuple[Tensor]) -> None:
            key = (arguments[0].shape, module.weight.shape, module.stride)
            if key not in seen:
                seen.add(key)
                found[name.replace(".", "_").removeprefix("network_")] = (module, arguments[0].detach())

        return hook

    for name, module in fused.named_modules():
        if isinstance(module, FusedConv2d):
            module.register_forward_pre_hook(note(name))
    with torch.no_grad():
        fused(torch.rand(BATCH, MODELS[network], *shape, device=machine.DEVICE))
    return found


def _both_ways(name: str, layer: FusedConv2d, inputs: Tensor, models: int) -> dict[str, float]:
    """Medians over rounds that alternate between the two, after a check that their outputs agree."""
    ways = {"grouped": layer.forward, "im2col": partial(_im2col, layer)}
    outputs = [way(inputs) for way in ways.values()]
    torch.testing.assert_close(outputs[1], outputs[0], rtol=0.05, atol=0.05)
    milliseconds: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(ROUNDS + 1):
        for way, forward in ways.items():
            x = inputs.clone().requires_grad_()
            machine.synchronize()
            start = time.perf_counter()
            forward(x).sum().backward()
            machine.synchronize()
            milliseconds[way].append(1000 * (time.perf_counter() - start) / models)
    return {f"{name}_{way}": statistics.median(values[1:]) for way, values in milliseconds.items()}


def _im2col(layer: FusedConv2d, x: Tensor) -> Tensor:
    """The same convolution, with the patches laid out as one matrix per model."""
    channels_out, _, height, width = layer.weight.shape
    patches = unfold(x.contiguous(), (height, width), padding=layer.padding, stride=layer.stride)
    # [B, K * C * h * w, places] to [K, B * places, C * h * w]
    by_model = patches.unflatten(1, (layer.groups, -1)).permute(1, 0, 3, 2).flatten(1, 2)
    weight = layer.weight.flatten(1).unflatten(0, (layer.groups, -1))
    product = torch.bmm(by_model, weight.transpose(1, 2)).unflatten(1, (len(x), -1))
    rows = (x.shape[2] + 2 * layer.padding[0] - height) // layer.stride[0] + 1
    return product.permute(1, 0, 3, 2).reshape(len(x), channels_out, rows, -1)
