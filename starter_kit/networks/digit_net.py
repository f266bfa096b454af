"""A small network for the digits. Its parts are named as in torchvision's ResNet, so methods for that run on it too."""

import torch
from torch import Tensor, nn


class ConvBlock(nn.Module):
    """A 3x3 convolution, batch norm and ReLU: the first half of a ResNet block, without the shortcut."""

    def __init__(self, channels_in: int, channels_out: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels_in, channels_out, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels_out)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        """[B, channels_in, H, W] to [B, channels_out, H / stride, W / stride]."""
        return self.relu(self.bn1(self.conv1(x)))


class DigitNet(nn.Module):
    """A network for 8x8 pictures, small enough to train a thousand of them on a laptop.

    It has about 25,000 weights and takes about 100,000 multiply-adds per picture. Like a ResNet, it has a stem, four
    stages and a head. The maps of the last stage are one pixel wide.
    """

    def __init__(self, classes: int = 10, width: int = 8) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, width, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.Identity()
        self.layer1 = nn.Sequential(ConvBlock(width, width, stride=1))
        self.layer2 = nn.Sequential(ConvBlock(width, 2 * width, stride=2))
        self.layer3 = nn.Sequential(ConvBlock(2 * width, 4 * width, stride=2))
        self.layer4 = nn.Sequential(ConvBlock(4 * width, 8 * width, stride=2))
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(8 * width, classes)

    def forward(self, x: Tensor) -> Tensor:
        """[B, 1, 8, 8] pixels to [B, classes] logits."""
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(torch.flatten(self.avgpool(x), 1))
