"""Convolutions of many models, layer by layer: grouped calls in two layouts against patches and a batched product.

Each direction is timed by itself: forward, the gradient of the weights, the gradient of the inputs. On a GPU also
without TF32 and in bfloat16, to inform the choice of precision.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, pad
from torchvision.models import resnet18

from scoring.learners.fused import FusedNetwork
from scoring.learners.fused.layers import FusedConv2d
from starter_kit.networks.digit_net import DigitNet
from tests.benchmarks import machine

BATCH = 64
NETWORKS: dict[str, tuple[Callable[[], nn.Module], tuple[int, int, int]]] = {
    "digits": (DigitNet, (1, 8, 8)),
    "resnet18": (partial(resnet18, num_classes=10), (3, 32, 32)),
}
MODELS = {"digits": 32, "resnet18": 32} if machine.DEVICE == "cuda" else {"digits": 16, "resnet18": 2}
LAYOUTS = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}
TOLERANCES = {"float32": 1e-4, "tf32": 0.02, "bfloat16": 0.1}


@dataclass(frozen=True)
class Layer:
    """A fused convolution as it is called: [B, K * C, H, W] inputs, [K * O, C, h, w] weights.

    Attributes:
        height, width: of a model's input maps.
        needs_inputs: whether the gradient of its inputs is needed. The first layer's is not.
    """

    models: int
    channels: tuple[int, int]
    height: int
    width: int
    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int]
    needs_inputs: bool

    @property
    def name(self) -> str:
        """Channels in and out, kernel, stride, and the size of the maps."""
        (c, o), (h, w) = self.channels, self.kernel
        return f"{c}_to_{o}_kernel_{h}x{w}_stride_{self.stride[0]}_map_{self.height}x{self.width}"


def measure() -> dict[str, float | dict[str, float]]:
    """Milliseconds per model for all convolutions of a network, by way, precision and direction, and for each layer."""
    torch.manual_seed(0)
    totals: Counter[str] = Counter()
    by_layer: dict[str, float] = {}
    cudnn_benchmark = torch.backends.cudnn.benchmark
    torch.backends.cudnn.benchmark = True
    for network in NETWORKS:
        for layer, count in layers_of(network).items():
            for precision in machine.PRECISIONS:
                for figure, value in times(layer, precision).items():
                    by_layer[f"{network}_{layer.name}_{precision}_{figure}_ms"] = value
                    totals[f"{network}_{precision}_{figure}_ms"] += count * value
    torch.backends.cudnn.benchmark = cudnn_benchmark
    return {**totals, "by_layer": by_layer}


def layers_of(network: str) -> Counter[Layer]:
    """The fused convolutions of a network and how often it has each. Those that are matrix products are left out."""
    make, shape = NETWORKS[network]
    models = MODELS[network]
    fused = FusedNetwork([make() for _ in range(models)], torch.rand(2, *shape))
    found: Counter[Layer] = Counter()

    def note(module: FusedConv2d, arguments: tuple[Tensor]) -> None:
        _, channels, height, width = arguments[0].shape
        kernel = module.weight.shape[2], module.weight.shape[3]
        if kernel == (height, width) and not any(module.padding):
            return
        sides = channels // models, len(module.weight) // models
        rows, columns = module.padding
        needed = bool(found)
        layer = Layer(models, sides, height, width, kernel, tuple(module.stride), (rows, columns), needed)
        found[layer] += 1

    for module in fused.modules():
        if isinstance(module, FusedConv2d):
            module.register_forward_pre_hook(note)
    with torch.no_grad():
        fused(torch.rand(2, models, *shape))
    return found


def times(layer: Layer, precision: str) -> dict[str, float]:
    """Milliseconds per model by way and direction, after a check that the ways agree."""
    dtype = torch.bfloat16 if precision == "bfloat16" else torch.float32
    before = torch.backends.cudnn.allow_tf32, torch.get_float32_matmul_precision()
    torch.backends.cudnn.allow_tf32 = precision == "tf32"
    torch.set_float32_matmul_precision("high" if precision == "tf32" else "highest")
    (c, o), (h, w) = layer.channels, layer.kernel
    x = torch.randn(BATCH, layer.models * c, layer.height, layer.width, device=machine.DEVICE, dtype=dtype)
    weight = torch.randn(layer.models * o, c, h, w, device=machine.DEVICE, dtype=dtype) / (c * h * w) ** 0.5
    results: dict[str, list[Tensor]] = {}
    figures: dict[str, float] = {}
    ways = {f"grouped_{name}": partial(_grouped, layer, x, weight, layout) for name, layout in LAYOUTS.items()}
    for way, directions in (ways | {"patches": partial(_patches, layer, x, weight)}).items():
        calls = directions()
        results[way] = [call() for call in calls.values()]
        for direction, call in calls.items():
            figures[f"{way}_{direction}"] = machine.milliseconds(call, repeats=5) / layer.models
    torch.backends.cudnn.allow_tf32 = before[0]
    torch.set_float32_matmul_precision(before[1])
    expected = results["grouped_contiguous"]
    for found in results.values():
        for one, other in zip(found, expected, strict=True):
            # Relative to the largest number: sums of many terms differ by their rounding.
            difference = (one.float() - other.float()).abs().max() / other.float().abs().max()
            assert difference < TOLERANCES[precision], f"{layer.name} in {precision}: the ways differ by {difference}"
    return figures


def _grouped(layer: Layer, x: Tensor, weight: Tensor, layout: torch.memory_format) -> dict[str, Callable[[], Tensor]]:
    """The three directions as grouped calls, as the kit makes them."""
    x, weight = x.contiguous(memory_format=layout), weight.contiguous(memory_format=layout)
    options = [layer.stride, layer.padding, (1, 1), False, (0, 0), layer.models]
    y = conv2d(x, weight, None, layer.stride, layer.padding, groups=layer.models)

    def backward(inputs: bool) -> Tensor:
        mask = [inputs, not inputs, False]
        found = torch.ops.aten.convolution_backward(y, x, weight, None, *options, mask)
        return found[0] if inputs else found[1]

    directions: dict[str, Callable[[], Tensor]] = {
        "forward": lambda: conv2d(x, weight, None, layer.stride, layer.padding, groups=layer.models),
        "to_weights": lambda: backward(False),
    }
    return directions | ({"to_inputs": lambda: backward(True)} if layer.needs_inputs else {})


def _patches(layer: Layer, x: Tensor, weight: Tensor) -> dict[str, Callable[[], Tensor]]:
    """The three directions as batched products of patches, with the models first and the channels last.

    The patches of the forward pass are kept for the gradient of the weights.
    """
    models, (c, o), (h, w) = layer.models, layer.channels, layer.kernel
    by_model = x.unflatten(1, (models, c)).permute(1, 0, 3, 4, 2).contiguous()
    matrix = weight.unflatten(0, (models, o)).permute(0, 3, 4, 2, 1).reshape(models, h * w * c, o).contiguous()
    kept = patches(layer, by_model)
    y = torch.bmm(kept, matrix)
    rows, columns = _places(layer)

    def outputs(product: Tensor) -> Tensor:
        """[K, B * places, O] as [B, K * O, rows, columns]: a view."""
        return product.view(models, -1, rows, columns, o).permute(1, 0, 4, 2, 3).flatten(1, 2)

    def weights(product: Tensor) -> Tensor:
        """[K, h * w * C, O] as [K * O, C, h, w]."""
        return product.view(models, h, w, c, o).permute(0, 4, 3, 1, 2).flatten(0, 1)

    def inputs(maps: Tensor) -> Tensor:
        """[K, B, H, W, C] as [B, K * C, H, W]."""
        return maps.permute(1, 0, 4, 2, 3).flatten(1, 2)

    directions: dict[str, Callable[[], Tensor]] = {
        "forward": lambda: outputs(torch.bmm(patches(layer, by_model), matrix)),
        "to_weights": lambda: weights(torch.bmm(kept.transpose(1, 2), y)),
    }
    if layer.needs_inputs:
        directions["to_inputs"] = lambda: inputs(summed(layer, torch.bmm(y, matrix.transpose(1, 2))))
    return directions


def _places(layer: Layer) -> tuple[int, int]:
    """The height and width of the output maps."""
    (h, w), (down, right), (rows, columns) = layer.kernel, layer.stride, layer.padding
    return (layer.height + 2 * rows - h) // down + 1, (layer.width + 2 * columns - w) // right + 1


def patches(layer: Layer, maps: Tensor) -> Tensor:
    """[K, B, H, W, C] to [K, B * places, h * w * C]: one copy. ``unfold`` would launch a kernel per example."""
    (h, w), (down, right), (rows, columns) = layer.kernel, layer.stride, layer.padding
    padded = pad(maps, (0, 0, columns, columns, rows, rows)) if rows or columns else maps
    view = padded.unfold(2, h, down).unfold(3, w, right).permute(0, 1, 2, 3, 5, 6, 4)
    return view.reshape(len(maps), -1, h * w * maps.shape[-1])


def summed(layer: Layer, columns: Tensor) -> Tensor:
    """The transpose of ``patches``: what lies at each pixel, summed over the patches that it is in."""
    (h, w), (down, right), (above, beside) = layer.kernel, layer.stride, layer.padding
    rows, places = _places(layer)
    parts = columns.view(layer.models, -1, rows, places, h, w, layer.channels[0])
    shape = (layer.height + 2 * above, layer.width + 2 * beside, layer.channels[0])
    maps = columns.new_zeros(layer.models, parts.shape[1], *shape)
    for i in range(h):
        for j in range(w):
            maps[:, :, i : i + down * rows : down, j : j + right * places : right] += parts[:, :, :, :, i, j]
    return maps[:, :, above : above + layer.height, beside : beside + layer.width]
