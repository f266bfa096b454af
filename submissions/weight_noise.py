"""Multiply each weight by one plus a little noise, and train nothing.

Why it is here: although it looks at no example, it scores above most methods on digits, and whoever reads a score
should know that. The likely reason: noise spreads the answers of the unlearned models, as chance spreads those of
retrained ones.

Source: the kit.
Cost: none; it runs no example through the network.
"""

import torch

NOISE = 0.1

RANGES = {"NOISE": (0.01, 0.5)}


@torch.no_grad()
def unlearning(net, retain, forget, val):
    """Scale each weight by its own random factor."""
    for weight in net.parameters():
        weight.mul_(1 + NOISE * torch.randn_like(weight))
    return net
