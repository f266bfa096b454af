"""Push the hidden states of the forget set towards a random direction, and hold those of the retain set where they are.

The answers are not touched themselves. Later layers find nothing about the forget set there; if there are few of them,
they may learn to compensate.

Source: Li et al., The WMDP Benchmark, ICML 2024: representation misdirection for unlearning (published scale: 6.5,
retain weight: 1200).
Cost: STEPS steps on a batch of each set; memory for a second copy of the model.
"""

import copy
from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss
from torch.utils.data import DataLoader

SCALE = 20.0
RETAIN_WEIGHT = 10.0
LEARNING_RATE = 8e-3
STEPS = 10

RANGES = {"SCALE": (1.0, 100.0), "RETAIN_WEIGHT": (0.1, 1200.0), "LEARNING_RATE": (1e-4, 3e-2), "STEPS": (2, 40)}


def unlearning(net: nn.Module, retain: DataLoader, forget: DataLoader, val: DataLoader) -> nn.Module:
    """Take steps on both distances."""
    if not any(isinstance(module, nn.ModuleList) for module in net.modules()):
        raise NotImplementedError("This method steers the hidden states of blocks, and this network has no blocks.")
    # A copy: weights that are only detached would move with the model, which would have nothing to hold it.
    original = copy.deepcopy(net).eval().requires_grad_(False)
    optimizer = torch.optim.AdamW(net.parameters(), lr=LEARNING_RATE, weight_decay=0.0)
    direction: Tensor | None = None
    for _, known, gone in zip(range(STEPS), endless(retain), endless(forget), strict=False):
        optimizer.zero_grad()
        states, kept = hidden(net, gone[0]), hidden(net, known[0])
        if direction is None:
            drawn = torch.rand(states.shape[-1], device=states.device)
            direction = SCALE * drawn / drawn.norm()
        with torch.no_grad():
            before = hidden(original, known[0])
        lose = mse_loss(states, direction.expand_as(states))
        (lose + RETAIN_WEIGHT * mse_loss(kept, before)).backward()
        optimizer.step()
    return net


def hidden(net: nn.Module, inputs: Tensor) -> Tensor:
    """The output of the last block: of the last module in the network's first list of modules."""
    seen: list[Tensor] = []
    blocks = next(module for module in net.modules() if isinstance(module, nn.ModuleList))
    hook = blocks[-1].register_forward_hook(lambda _module, _inputs, output: seen.append(output))
    net(inputs)
    hook.remove()
    return seen[0]


def endless(loader: DataLoader) -> Iterator:
    """Batch after batch, pass after pass."""
    if not len(loader):
        raise NotImplementedError("This method needs examples, and this task only describes what is to be forgotten.")
    while True:
        yield from loader
