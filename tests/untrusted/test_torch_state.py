"""Torch's global settings: what one run changed, the next one does not find."""

import pytest
import torch

from scoring.untrusted.torch_state import _settings, remembered

CHANGES = {
    "threads": lambda: torch.set_num_threads(torch.get_num_threads() + 1),
    "gradients": lambda: torch.set_grad_enabled(False),
    "precision": lambda: torch.set_default_dtype(torch.float64),
    "device": lambda: torch.set_default_device("meta"),
    "products": lambda: torch.set_float32_matmul_precision("medium"),
    "deterministic": lambda: torch.use_deterministic_algorithms(True),
    "anomalies": lambda: torch.autograd.set_detect_anomaly(True),
    "autocast on a CPU": lambda: torch.set_autocast_enabled("cpu", True),
    "autocast on a GPU": lambda: torch.set_autocast_enabled("cuda", True),
    "autocast to": lambda: torch.set_autocast_dtype("cpu", torch.float16),
    "cudnn's choice": lambda: setattr(torch.backends.cudnn, "benchmark", True),
    "cudnn": lambda: setattr(torch.backends.cudnn, "enabled", False),
    "tf32": lambda: setattr(torch.backends.cudnn, "allow_tf32", not torch.backends.cudnn.allow_tf32),
}


def now():
    return [read() for read, _ in _settings()], torch.zeros(1).device.type


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_is_undone(change):
    before = now()
    restore = remembered()
    try:
        CHANGES[change]()
        assert now() != before
    finally:
        restore()
    assert now() == before
