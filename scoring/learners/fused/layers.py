"""One layer in place of K: the replacements of a network's layers with weights."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d


class CannotFuseError(Exception):
    """Part of the network cannot be trained for many models at once."""


class FusedConv2d(nn.Module):
    """K convolutions side by side: [B, K * C, H, W] to [B, K * O, H', W'].

    Kernel taps that only ever meet padding, as most do on maps one pixel wide, are left out: they get no gradient and
    change no output. The remaining weights are [K * O, C, h, w].
    """

    def __init__(self, layers: Sequence[nn.Conv2d], map_size: Sequence[int]) -> None:
        super().__init__()
        first = layers[0]
        if first.groups != 1 or first.dilation != (1, 1) or first.padding_mode != "zeros":
            raise CannotFuseError(f"it contains a convolution with groups, dilation or non-zero padding: {first}")
        if isinstance(first.padding, str):
            raise CannotFuseError(f"it contains a convolution with padding {first.padding!r}")
        used = [
            _taps_that_meet_data(*sizes)
            for sizes in zip(map_size, first.kernel_size, first.stride, first.padding, strict=True)
        ]
        rows, columns = used
        self.padding = [padding - taps.start for padding, taps in zip(first.padding, used, strict=True)]
        self.stride, self.groups = first.stride, len(layers)
        weight = torch.cat([layer.weight.detach()[:, :, rows, columns] for layer in layers])
        # As the maps lie in memory, or each call would copy the weights into that layout, and their gradient back.
        self.weight = nn.Parameter(weight.contiguous(memory_format=torch.channels_last))
        biases = [layer.bias.detach() for layer in layers if layer.bias is not None]
        self.bias = nn.Parameter(torch.cat(biases)) if biases else None

    def forward(self, x: Tensor) -> Tensor:
        """All convolutions in one call, as a matrix product if the kernel covers the whole map."""
        if x.shape[-2:] != self.weight.shape[-2:] or any(self.padding):
            return conv2d(x, self.weight, self.bias, self.stride, self.padding, groups=self.groups)
        # Channels last, as the maps lie in memory: so their gradient comes back in that layout too. In another one the
        # layer before would add two layouts, which takes twenty times as long.
        by_model = x.permute(0, 2, 3, 1).unflatten(3, (self.groups, -1)).permute(3, 0, 1, 2, 4).flatten(2)
        weight = self.weight.permute(0, 2, 3, 1).flatten(1).unflatten(0, (self.groups, -1))
        product = torch.bmm(by_model, weight.transpose(1, 2)).transpose(0, 1).flatten(1)
        return (product if self.bias is None else product + self.bias)[:, :, None, None]


def _taps_that_meet_data(size: int, kernel: int, stride: int, padding: int) -> slice:
    """Along one axis, the kernel's taps that meet a pixel of a map ``size`` pixels wide at some position."""
    positions = (size + 2 * padding - kernel) // stride + 1
    seen = [tap for tap in range(kernel) if any(0 <= at * stride + tap - padding < size for at in range(positions))]
    cut = slice(seen[0], seen[-1] + 1)
    # Cropping `start` taps on the left shrinks the padding on both sides by as much; the output must keep its size.
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


def fused_batch_norm(layers: Sequence[nn.BatchNorm1d | nn.BatchNorm2d]) -> nn.BatchNorm1d | nn.BatchNorm2d:
    """One batch norm over the channels of all models: it treats each channel by itself anyway."""
    first = layers[0]
    if first.running_mean is None:
        raise CannotFuseError("it contains a batch norm without running statistics")
    fused = type(first)(
        len(layers) * first.num_features, first.eps, first.momentum, first.affine, first.track_running_stats
    ).to(first.running_mean)
    with torch.no_grad():
        states = [layer.state_dict() for layer in layers]
        for name, value in fused.state_dict().items():
            value.copy_(states[0][name] if value.ndim == 0 else torch.cat([state[name] for state in states]))
    return fused
