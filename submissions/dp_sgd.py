"""Learn privately, with clipped and noised gradients, so that there is nothing to forget.

The model hardly depends on any single example, so unlearning does nothing. The model declares a guarantee: models
trained with and without one example are (EPSILON, DELTA)-indistinguishable. For a request of k examples the guarantee
is weaker, more than k times EPSILON; `make score FORGET=k` prints it. The price is accuracy.

Each example is in a batch with probability SAMPLE_RATE, independently of the others (Poisson sampling). Batch norm
mixes the examples of a batch, so group norm takes its place, with four channels per group: Opacus' own replacement
would give the narrow layers of a network for digits one group per channel. SAMPLE_RATE, STEPS and BATCH_SIZE are
constants, since numbers computed from the data would reveal how many examples there are. Set all three for data of
another size.

Source: Abadi et al., Deep Learning with Differential Privacy, CCS 2016; Opacus' `prv` accountant for the noise.
Cost: learning takes three to four times as long as without privacy; unlearning takes no time.
"""

import warnings

import torch
from opacus import GradSampleModule
from opacus.optimizers import DPOptimizer
from torch import nn
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader
from torchvision.models.resnet import BasicBlock, Bottleneck

EPSILON = 8
DELTA = 1e-5
NOISE_MULTIPLIERS = {1: 7.5, 3: 2.93, 8: 1.417}
"""What EPSILON takes with these rates and steps, by Opacus' accountant."""

SAMPLE_RATE = 0.25
STEPS = 60
BATCH_SIZE = 350
CLIP = 0.1
LEARNING_RATE = 2.0
CHANNELS_PER_GROUP = 4


def learning(net: nn.Module, train: DataLoader, val: DataLoader) -> nn.Module:
    """Train with DP-SGD.

    Args:
        net: a fresh network of the task, which becomes one without batch norm.
        train: loader of the examples to learn.
        val: loader of other examples, which are not needed.
    """
    inputs, targets = (torch.cat(column) for column in zip(*train, strict=True))
    private = GradSampleModule(without_batch_norm(net))
    optimizer = DPOptimizer(
        torch.optim.SGD(private.parameters(), lr=LEARNING_RATE, momentum=0.9),
        noise_multiplier=NOISE_MULTIPLIERS[EPSILON],
        max_grad_norm=CLIP,
        expected_batch_size=BATCH_SIZE,
    )
    with warnings.catch_warnings():
        # That inputs need no gradients does not matter to those of the weights.
        warnings.filterwarnings("ignore", "Full backward hook is firing")
        for _ in range(STEPS):
            batch = torch.rand(len(targets), device=inputs.device) < SAMPLE_RATE
            optimizer.zero_grad()
            cross_entropy(private(inputs[batch]), targets[batch]).backward()
            optimizer.step()
    net = private.to_standard_module()
    net.guarantee = {  # type: ignore[assignment]
        "noise_multiplier": NOISE_MULTIPLIERS[EPSILON],
        "sample_rate": SAMPLE_RATE,
        "steps": STEPS,
        "delta": DELTA,
    }
    return net


def unlearning(net: nn.Module, retain: DataLoader, forget: DataLoader, val: DataLoader) -> nn.Module:
    """Nothing: that is what privacy is for."""
    return net


def without_batch_norm(net: nn.Module) -> nn.Module:
    """The network with group norm, and without operations in place, which hide what gradients per example need."""
    if any(isinstance(module, BasicBlock | Bottleneck) for module in net.modules()):
        raise NotImplementedError(
            "This method needs per-example gradients, and this network has no way to give them: torchvision's ResNet "
            "adds in place."
        )
    for name, module in list(net.named_modules()):
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            parent, _, own = name.rpartition(".")
            groups = max(1, module.num_features // CHANNELS_PER_GROUP)
            norm = nn.GroupNorm(groups, module.num_features)
            setattr(net.get_submodule(parent), own, norm.to(module.weight.device))
        elif isinstance(module, nn.ReLU):
            module.inplace = False
    return net
