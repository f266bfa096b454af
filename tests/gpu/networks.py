"""Networks whose training meets a fault of the GPU."""

import torch
from torch import nn
from torchvision.models import ResNet, resnet18
from torchvision.models.resnet import BasicBlock

from tests.gpu import DEVICE

LITTLE = 2.5 * 2**30
"""Bytes: enough for some ResNet-18 to be trained at once, and too few for all of a group."""


class ReadsBack(ResNet):
    """Reads a number back from the device in each step, which cannot be recorded."""

    def forward(self, x):
        assert x.sum().item() < float("inf")
        return super().forward(x)


def reads_back():
    return ReadsBack(BasicBlock, [2, 2, 2, 2], num_classes=10)


def with_little_memory() -> nn.Module:
    """A network for a process that may not use all of the GPU."""
    if DEVICE == "cuda":
        torch.cuda.set_per_process_memory_fraction(LITTLE / torch.cuda.get_device_properties(0).total_memory)
    return resnet18(num_classes=10)


class Large(nn.Sequential):
    """Takes so much memory that not even one fits into what is left to the process."""


def too_large() -> nn.Module:
    if DEVICE == "cuda":
        torch.cuda.set_per_process_memory_fraction(LITTLE / 50 / torch.cuda.get_device_properties(0).total_memory)
    return Large(nn.Flatten(), nn.Linear(3072, 10_000), nn.ReLU(), nn.Linear(10_000, 10))


def plain() -> nn.Module:
    """The competition's."""
    return resnet18(num_classes=10)
