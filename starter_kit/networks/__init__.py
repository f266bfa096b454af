"""Networks, one per file. Parts that play the same role as in torchvision's ResNet have the same name."""
