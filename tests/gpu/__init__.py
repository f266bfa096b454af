"""Tests that need an NVIDIA GPU: `make gpu` runs them first. They need no more than torch, NumPy and pytest."""

import pytest
import torch

DEVICE = "cuda"

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no NVIDIA GPU"),
]
