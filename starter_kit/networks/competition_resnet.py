"""The competition's network."""

from torch import nn
from torchvision.models import resnet18

CLASSES = 10


def competition_resnet() -> nn.Module:
    """A freshly initialised ResNet-18 from torchvision, with its ImageNet stem and ten classes.

    It maps [B, 3, 32, 32] pictures to [B, 10] logits.
    """
    return resnet18(num_classes=CLASSES)
