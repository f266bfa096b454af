"""Many trainings advanced in one step.

K networks of one architecture become one network with K times the channels, whose convolutions are grouped by
model: a batch of B examples for each of K models travels as [B, K * C, H, W]. Batch norm normalises each channel
by itself, pooling and ReLU know no channels, and gradient descent treats each weight alone, so that every model is
trained just as it would be by itself, up to the rounding of sums. The forward code of the architecture runs
unchanged; only its layers with weights are replaced.
"""

import copy
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, cross_entropy

from starter_kit.batches import Examples
from starter_kit.training import Recipe, optimizer_of, schedule_of, seed_everything

STATELESS = (nn.ReLU, nn.Identity, nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d, nn.Flatten)
"""Layers that do the same to each channel, or to each example, and so need no replacement."""

WARM_UP = 3
"""Steps of an epoch before one is recorded: libraries set themselves up in the first ones."""

EVALUATED_AT_ONCE = 1024
"""Examples times models in one evaluation step."""


class CannotFuseError(Exception):
    """The network has a part that this module cannot advance for many models at once."""


class FusedConv2d(nn.Module):
    """K convolutions side by side: [B, K * C, H, W] to [B, K * O, H', W'].

    Kernel taps that only ever meet padding, as most do where maps are a pixel wide, are left out: they get no
    gradient and change no output. What is left of the weights is [K * O, C, h, w].
    """

    def __init__(self, layers: Sequence[nn.Conv2d], map_size: Sequence[int]) -> None:
        super().__init__()
        first = layers[0]
        if first.groups != 1 or first.dilation != (1, 1) or first.padding_mode != "zeros":
            raise CannotFuseError(f"a convolution with groups, dilation or other padding than zeros: {first}")
        if isinstance(first.padding, str):
            raise CannotFuseError(f"a convolution with padding {first.padding!r}")
        used = [
            _taps_that_meet_data(*sizes)
            for sizes in zip(map_size, first.kernel_size, first.stride, first.padding, strict=True)
        ]
        rows, columns = used
        self.padding = [padding - taps.start for padding, taps in zip(first.padding, used, strict=True)]
        self.stride, self.groups = first.stride, len(layers)
        self.weight = nn.Parameter(torch.cat([layer.weight.detach()[:, :, rows, columns] for layer in layers]))
        biases = [layer.bias.detach() for layer in layers if layer.bias is not None]
        self.bias = nn.Parameter(torch.cat(biases)) if biases else None

    def forward(self, x: Tensor) -> Tensor:
        """All models' convolutions in one call; as a matrix product where the kernel covers the whole map."""
        if x.shape[-2:] != self.weight.shape[-2:] or any(self.padding):
            return conv2d(x, self.weight, self.bias, self.stride, self.padding, groups=self.groups)
        weight = self.weight.flatten(1).unflatten(0, (self.groups, -1))
        product = torch.bmm(x.reshape(len(x), self.groups, -1).transpose(0, 1), weight.transpose(1, 2))
        product = product.transpose(0, 1).flatten(1)
        return (product if self.bias is None else product + self.bias)[:, :, None, None]


def _taps_that_meet_data(size: int, kernel: int, stride: int, padding: int) -> slice:
    """Along one axis, which of a kernel's taps see a pixel of a map that is ``size`` wide, at some position."""
    positions = (size + 2 * padding - kernel) // stride + 1
    seen = [tap for tap in range(kernel) if any(0 <= at * stride + tap - padding < size for at in range(positions))]
    cut = slice(seen[0], seen[-1] + 1)
    # Cropped on the left by `start`, the padding shrinks on both sides by as much; that has to leave as many places.
    remaining = padding - cut.start
    if remaining < 0 or (size + 2 * remaining - (cut.stop - cut.start)) // stride + 1 != positions:
        return slice(0, kernel)
    return cut


class FusedLinear(nn.Module):
    """K linear layers side by side: [B, K * C] to [B, K * O]."""

    def __init__(self, layers: Sequence[nn.Linear]) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.stack([layer.weight.detach() for layer in layers]))
        has_bias = layers[0].bias is not None
        self.bias = nn.Parameter(torch.stack([layer.bias.detach() for layer in layers])) if has_bias else None

    def forward(self, x: Tensor) -> Tensor:
        """A batched matrix product over the models."""
        models, _, inputs = self.weight.shape
        by_model = x.view(len(x), models, inputs).transpose(0, 1)
        product = torch.bmm(by_model, self.weight.transpose(1, 2))
        if self.bias is not None:
            product = product + self.bias.unsqueeze(1)
        return product.transpose(0, 1).flatten(1)


def _fused_batch_norm(layers: Sequence[nn.BatchNorm2d]) -> nn.BatchNorm2d:
    """One batch norm over the channels of all models: it treats each channel by itself anyway."""
    first = layers[0]
    fused = nn.BatchNorm2d(
        len(layers) * first.num_features, first.eps, first.momentum, first.affine, first.track_running_stats
    ).to(first.running_mean)
    with torch.no_grad():
        states = [layer.state_dict() for layer in layers]
        for name, value in fused.state_dict().items():
            value.copy_(states[0][name] if value.ndim == 0 else torch.cat([state[name] for state in states]))
    return fused


class FusedNetwork(nn.Module):
    """K networks as one: [B, K, C, ...] inputs, of which each model has its own, to [B, K, classes] logits.

    Args:
        networks: K >= 1 networks of one architecture; they are left as they are.
        inputs: [n >= 1, C, H, W] some of the inputs that they are for.

    Raises:
        CannotFuseError: the architecture has a part that cannot be advanced for many models at once.
    """

    def __init__(self, networks: Sequence[nn.Module], inputs: Tensor) -> None:
        super().__init__()
        self.models = len(networks)
        sizes = _map_sizes(networks[0], inputs[:1])
        self.network = _fused(networks, sizes, "network")
        self._check_forward(networks, inputs[:2])

    def forward(self, inputs: Tensor) -> Tensor:
        """The logits of all models, each on its own inputs."""
        together = inputs.flatten(1, 2)
        if together.device.type == "cpu":
            # Measured on digits: a quarter faster than the other order of axes.
            together = together.contiguous(memory_format=torch.channels_last)
        return self.network(together).unflatten(1, (self.models, -1))

    def _check_forward(self, networks: Sequence[nn.Module], inputs: Tensor) -> None:
        """Refuse an architecture whose forward code does something to channels that mixes the models."""
        training = networks[0].training
        with torch.no_grad():
            alone = torch.stack([network.eval()(inputs) for network in networks], dim=1)
            try:
                together = self.eval()(inputs.unsqueeze(1).expand(-1, self.models, *inputs.shape[1:]))
            except (RuntimeError, ValueError) as error:
                raise CannotFuseError(f"its forward code does not run for several models: {error}") from error
        for network in (self, *networks):
            network.train(training)
        if not torch.allclose(alone, together, rtol=1e-3, atol=1e-3):
            raise CannotFuseError("its forward code mixes what belongs to different models")


def _map_sizes(network: nn.Module, inputs: Tensor) -> dict[str, Sequence[int]]:
    """The height and width of the maps that enter each convolution, by its name."""
    sizes: dict[str, Sequence[int]] = {}

    def note(name: str) -> Callable:
        return lambda _module, arguments: sizes.update({name: arguments[0].shape[-2:]})

    hooks = [
        module.register_forward_pre_hook(note(f"network.{name}"))
        for name, module in network.named_modules()
        if isinstance(module, nn.Conv2d)
    ]
    training = network.training
    with torch.no_grad():
        network.eval()(inputs)
    network.train(training)
    for hook in hooks:
        hook.remove()
    return sizes


def _fused(modules: Sequence[nn.Module], sizes: dict[str, Sequence[int]], name: str) -> nn.Module:
    """One module in the place of the K that stand at one place of the architecture."""
    first = modules[0]
    match first:
        case nn.Conv2d():
            return FusedConv2d(modules, sizes[name])  # type: ignore[arg-type]
        case nn.BatchNorm2d():
            return _fused_batch_norm(modules)  # type: ignore[arg-type]
        case nn.Linear():
            return FusedLinear(modules)  # type: ignore[arg-type]
    children = dict(first.named_children())
    own = [*first.parameters(recurse=False), *first.buffers(recurse=False)]
    if own or not (children or isinstance(first, STATELESS)):
        raise CannotFuseError(f"a {type(first).__name__}")
    fused = copy.copy(first)
    fused._modules = {
        child: _fused([getattr(module, child) for module in modules], sizes, f"{name}.{child}") for child in children
    }
    return fused


def train_fused(
    network: Callable[[], nn.Module], examples: Examples, recipe: Recipe, seeds: Sequence[int]
) -> FusedNetwork:
    """Train one model a seed, all at once; model k is what `training.train` makes after seeding with ``seeds[k]``.

    Args:
        network: makes a freshly initialised network from torch's global generator.
        examples: the training set, on the device to train on.
        recipe: how.
        seeds: K >= 1 seeds.

    Raises:
        CannotFuseError: the architecture cannot be advanced for many models at once.
        torch.OutOfMemoryError: K is too large for the device.
    """
    networks, generators = [], []
    for seed in seeds:
        seed_everything(seed)
        networks.append(network())
        # The orders of the examples come next from the generator that the weights came from.
        generators.append(torch.Generator().set_state(torch.get_rng_state()))
    device = examples.targets.device
    fused = FusedNetwork(networks, examples.inputs[:2].cpu()).to(device).train()
    del networks

    optimizer = optimizer_of(recipe, fused.parameters())
    schedule = schedule_of(recipe, optimizer)

    def step(index: Tensor) -> None:
        """One step of every model on its own examples, [B, K] of them."""
        inputs, targets = examples.take(index.flatten())
        optimizer.zero_grad()
        logits = fused(inputs.unflatten(0, index.shape))
        # A mean over each model's batch and a sum over models: no model's gradient knows of another.
        (cross_entropy(logits.flatten(0, 1), targets, reduction="sum") / len(index)).backward()
        optimizer.step()

    advance = advance_with_graphs if device.type == "cuda" else advance_one_by_one
    with _stream_of_its_own(device):
        for _ in range(recipe.epochs):
            orders = [torch.randperm(len(examples), generator=generator) for generator in generators]
            advance(step, torch.stack(orders, dim=1).to(device).split(recipe.batch_size))
            schedule.step()
    return fused


@contextmanager
def _stream_of_its_own(device: torch.device) -> Iterator[None]:
    """On a GPU a stream beside the default one, on which steps cannot be recorded; elsewhere nothing."""
    if device.type != "cuda":
        yield
        return
    default, own = torch.cuda.current_stream(device), torch.cuda.Stream(device)
    own.wait_stream(default)
    with torch.cuda.stream(own):
        yield
    default.wait_stream(own)


def advance_one_by_one(step: Callable[[Tensor], None], batches: Sequence[Tensor]) -> None:
    """An epoch, launched step by step."""
    for index in batches:
        step(index)


def capture(step: Callable[[Tensor], None], index: Tensor) -> Callable[[], None]:
    """A whole step on ``index``, recorded once on the GPU; what it returns launches all of it in one call."""
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, stream=torch.cuda.current_stream()):
        step(index)
    return graph.replay


def advance_with_graphs(step: Callable[[Tensor], None], batches: Sequence[Tensor], capture: Callable = capture) -> None:
    """An epoch on a GPU: some steps as they are, then one recorded step replayed for all batches of its size.

    It is recorded anew in each epoch, because the learning rate is part of the record.
    """
    whole = [index for index in batches if len(index) == len(batches[0])]
    first, replayed, rest = batches[:WARM_UP], whole[WARM_UP:], batches[max(WARM_UP, len(whole)) :]
    advance_one_by_one(step, first)
    if replayed:
        index = replayed[0].clone()
        replay = capture(step, index)
        for batch in replayed:
            index.copy_(batch)
            replay()
    advance_one_by_one(step, rest)


@torch.inference_mode()
def logits_of_all(fused: FusedNetwork, examples: Examples) -> Tensor:
    """[K, n, classes] logits of K models in evaluation mode, for all examples in order."""
    fused.eval()
    parts = [
        fused(inputs.unsqueeze(1).expand(-1, fused.models, *inputs.shape[1:]))
        for inputs in examples.inputs.split(max(1, EVALUATED_AT_ONCE // fused.models))
    ]
    return torch.cat(parts).transpose(0, 1)
