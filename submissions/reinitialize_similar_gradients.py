"""Re-initialise the weights on which the retain and forget gradients agree, then fine-tune on the retain set.

The loss gradient on the forget set is subtracted from that on as many retain examples. Where the difference is small,
a weight serves both sets. The 30% of each convolution's weights with the smallest differences are drawn anew and
learn again from the retain set alone. Meanwhile the gradients of the other convolution weights are scaled by 0.1.

As in the public code, the share is taken per layer; the written description takes it over all layers. With 32x32
pictures, most weights of the 3x3 kernels in a ResNet-18's last stage never influence an output. Their gradients are
zero, so only they are drawn anew there, and those kernels keep what they know. Five epochs were about 1,500 steps in
the competition; on digits they are 105.

Source: heuristic 4 of Triantafillou et al., "Are we making progress in unlearning?" (2024); second place in the
NeurIPS 2023 Machine Unlearning Challenge.
Cost: five passes over the retain set, five sixths of the competition's budget, plus gradients on the forget set and on
as many retain examples.
"""

import torch
from torch import nn
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, RandomSampler

SHARE = 0.3
LEARNING_RATE = 1e-3
EPOCHS = 5
KEPT_GRADIENT_FACTOR = 0.1
MOMENTUM = 0.9
WEIGHT_DECAY = 5e-4

RANGES = {"SHARE": (0.05, 0.8), "EPOCHS": (1, 8), "LEARNING_RATE": (1e-4, 0.3), "KEPT_GRADIENT_FACTOR": (0.01, 1.0)}


def unlearning(net, retain, forget, val):
    """Re-initialise, then fine-tune with a learning rate that rises and falls again."""
    if not len(forget.dataset):
        raise NotImplementedError("This method needs examples, and this task only describes what is to be forgotten.")
    factors = reinitialize(net, gradient_differences(net, retain, forget))
    optimizer = torch.optim.SGD(net.parameters(), lr=LEARNING_RATE, momentum=MOMENTUM, weight_decay=WEIGHT_DECAY)
    for epoch in range(EPOCHS):
        optimizer.param_groups[0]["lr"] = LEARNING_RATE * 2 * min(epoch + 1, EPOCHS - epoch) / (EPOCHS + 1)
        for inputs, targets in retain:
            optimizer.zero_grad()
            cross_entropy(net(inputs), targets).backward()
            for module, factor in zip(convolutions(net), factors, strict=True):
                module.weight.grad *= factor
            optimizer.step()
    return net


def convolutions(net):
    """All convolutions of a network."""
    found = [module for module in net.modules() if isinstance(module, nn.Conv2d)]
    if not found:
        raise NotImplementedError("This method re-initialises convolutions (Conv2d), and this network has none.")
    return found


def gradient_differences(net, retain, forget):
    """For each convolution, |gradient on random retain examples - gradient on the forget set|."""
    sampler = RandomSampler(retain.dataset, num_samples=len(forget.dataset))
    sample = DataLoader(retain.dataset, batch_size=forget.batch_size, sampler=sampler)
    net.eval()
    net.zero_grad()
    for loader, sign in ((sample, 1), (forget, -1)):
        for inputs, targets in loader:
            (sign * cross_entropy(net(inputs), targets)).backward()
    net.train()
    differences = [module.weight.grad.abs() for module in convolutions(net)]
    net.zero_grad()
    return differences


@torch.no_grad()
def reinitialize(net, differences):
    """Draw the weights with the smallest differences from He's distribution; return the factors of all gradients."""
    factors = []
    for module, difference in zip(convolutions(net), differences, strict=True):
        chosen = torch.zeros_like(difference, dtype=torch.bool)
        smallest = difference.flatten().topk(round(SHARE * difference.numel()), largest=False).indices
        chosen.view(-1)[smallest] = True
        fresh = nn.init.kaiming_normal_(torch.empty_like(module.weight), mode="fan_out", nonlinearity="relu")
        module.weight.copy_(torch.where(chosen, fresh, module.weight))
        factors.append(torch.where(chosen, 1.0, KEPT_GRADIENT_FACTOR))
    return factors
