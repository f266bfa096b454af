"""K networks as one."""

import copy
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from scoring.learners.fused.layers import CannotFuseError, FusedConv2d, FusedLinear, fused_batch_norm

STATELESS = (nn.ReLU, nn.Identity, nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d, nn.Flatten)
"""Layers without weights that treat each channel by itself; they stay as they are."""


class FusedNetwork(nn.Module):
    """K networks as one: [B, K, C, ...] inputs, each model with its own, to [B, K, classes] logits.

    Args:
        networks: K >= 1 networks of one architecture; they are not changed.
        inputs: [n >= 1, C, ...] examples of their inputs.

    Raises:
        CannotFuseError: part of the architecture cannot be trained for many models at once.
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
        if together.ndim == 4:
            # The faster layout on a CPU, timed on digits, and the one that a GPU's fast kernels want; unmeasured there.
            together = together.contiguous(memory_format=torch.channels_last)
        return self.network(together).unflatten(1, (self.models, -1))

    def _check_forward(self, networks: Sequence[nn.Module], inputs: Tensor) -> None:
        """Refuse an architecture whose forward code mixes channels of different models."""
        training = networks[0].training
        with torch.no_grad():
            alone = torch.stack([network.eval()(inputs) for network in networks], dim=1)
            try:
                together = self.eval()(inputs.unsqueeze(1).expand(-1, self.models, *inputs.shape[1:]))
            except (RuntimeError, ValueError, IndexError) as error:
                raise CannotFuseError(f"its forward code does not run for several models: {error}") from error
        for network in (self, *networks):
            network.train(training)
        if alone.shape != together.shape or not torch.allclose(alone, together, rtol=1e-3, atol=1e-3):
            raise CannotFuseError("its forward code mixes channels of different models")


def _map_sizes(network: nn.Module, inputs: Tensor) -> dict[str, Sequence[int]]:
    """The height and width of the maps that enter each convolution, by the convolution's name."""
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
    """One module that replaces the K modules at one place of the architecture."""
    first = modules[0]
    match first:
        case nn.Conv2d():
            return FusedConv2d(modules, sizes[name])  # type: ignore[arg-type]
        case nn.BatchNorm1d() | nn.BatchNorm2d():
            return fused_batch_norm(modules)  # type: ignore[arg-type]
        case nn.Linear():
            return FusedLinear(modules)  # type: ignore[arg-type]
    children = dict(first.named_children())
    own = [*first.parameters(recurse=False), *first.buffers(recurse=False)]
    if own or not (children or isinstance(first, STATELESS)):
        raise CannotFuseError(f"it contains {type(first).__name__}")
    fused = copy.copy(first)
    fused._modules = {
        child: _fused([getattr(module, child) for module in modules], sizes, f"{name}.{child}") for child in children
    }
    return fused
