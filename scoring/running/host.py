"""The kind of machine: everything about it that can change a bit of a row."""

import json
import platform
import subprocess
from functools import cache
from importlib import metadata
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray


def host_kind(device: str) -> dict[str, str]:
    """The processor, the device and the versions that decide how numbers are rounded.

    Two kinds of CPU do not give the same bits: with AVX2 sums are rounded in another order than with AVX-512. A GPU
    model starts from weights that the CPU draws, so the CPU counts there too.
    """
    kind = torch.device(device)
    return {
        "cpu": processor(),
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "device": torch.cuda.get_device_name(kind) if kind.type == "cuda" else kind.type,
        **versions(),
    }


def versions() -> dict[str, str]:
    """The versions of Python and of the packages that compute."""
    # torch's own string tells builds for a CPU and for CUDA apart.
    return {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "torchvision": metadata.version("torchvision"),
        "numpy": np.__version__,
    }


@cache
def processor() -> str:
    """The processor's model, as the system names it."""
    match platform.system():
        case "Linux":
            lines = Path("/proc/cpuinfo").read_text().splitlines()
            named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
            return named[0] if named else platform.machine()
        case "Darwin":
            asked = subprocess.run(["sysctl", "-n", "machdep.cpu.brand_string"], capture_output=True, text=True)
            return asked.stdout.strip() or platform.machine()
    return platform.processor() or platform.machine()


def made_by() -> NDArray[np.str_]:
    """What a row says of the process that made it, as JSON."""
    device = "cuda" if torch.cuda.is_initialized() else "cpu"
    return np.array(json.dumps(host_kind(device), sort_keys=True))
