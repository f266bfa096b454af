"""What rows are made on, as a backend sees it: which device, of which kind, and how many rows at a time."""

import os
from dataclasses import dataclass
from typing import Protocol

import torch

from scoring.running.host import host_kind
from starter_kit.errors import InputError, quoted


def cores() -> int:
    """The number of processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def gpus(device: str) -> int:
    """How many GPUs a device stands for: all visible ones for "cuda", one for "cuda:1", none for "cpu" and "mps"."""
    wanted = torch.device(device)
    if wanted.type != "cuda":
        return 0
    return torch.cuda.device_count() if wanted.index is None else 1


def unavailable(device: str) -> str:
    """What to say of a device that this machine does not have."""
    return (
        f"'{quoted(device)}' is unavailable on this machine. Expected cpu, cuda, cuda:1 or mps; cpu works everywhere."
    )


def check_sandbox(sandbox: str, device: str) -> None:
    """Raise ``InputError`` if submissions on this device cannot run in such a sandbox."""
    if sandbox and device != "cpu":
        raise InputError(f"SANDBOX={sandbox} works only with DEVICE=cpu, found DEVICE={device}.")


class Machines(Protocol):
    """The machines of a backend."""

    def device(self, name: str) -> str:
        """The device that a person's choice means; an empty name leaves the choice to the machines.

        Raises:
            InputError: they have no such device.
        """

    def kind(self, device: str) -> dict[str, str]:
        """The properties of the machines that can change the bits of a row computed on the device; see `host.py`."""

    def slots(self, device: str) -> int:
        """How many rows they make at a time, if nobody says otherwise; at least 1."""

    def gpus(self, device: str) -> int:
        """How many GPUs to share by trial among more and more workers; 0 if the number of workers is fixed."""


@dataclass(frozen=True)
class ThisMachine:
    """The machine that this process runs on.

    Attributes:
        sandbox: what submissions run in; see `backends.Options`.
    """

    sandbox: str = ""

    def device(self, name: str) -> str:
        """A GPU where there is one, unless a name says otherwise."""
        name = name or ("cuda" if torch.cuda.is_available() and not self.sandbox else "cpu")
        check_sandbox(self.sandbox, name)
        try:
            torch.zeros(1, device=name)
        except (RuntimeError, AssertionError) as error:
            raise InputError(f"DEVICE: {unavailable(name)}") from error
        return name

    def kind(self, device: str) -> dict[str, str]:
        """That of this machine."""
        return host_kind(device)

    def slots(self, device: str) -> int:
        """One per GPU or per core."""
        return gpus(device) or cores()

    def gpus(self, device: str) -> int:
        """Those that the device stands for."""
        return gpus(device)
