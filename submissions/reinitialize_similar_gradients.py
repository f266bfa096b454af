"""Re-initialise the weights that retain and forget set pull the same way, then fine-tune on retain.

The gradient of the loss on some retain examples, less that on as many forget examples, is small where the two
sets agree about a weight. A share of the convolution weights with the smallest difference starts anew, and
what they knew of both sets has to be learned again, from the retain set alone.

Source: heuristic 4 of Triantafillou et al., "Are we making progress in unlearning?" (2024); the second of the
competition's winners. The selection is global over all convolutions, as the description says; one public
port selects by layer.
Cost: a pass over the retain set, and one over the forget set and as many retain examples.
"""

import torch
from torch import nn
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, RandomSampler

SHARE = 0.6
EPOCHS = 1
LEARNING_RATE = 0.2
MOMENTUM = 0.9
WEIGHT_DECAY = 5e-4


def unlearning(net, retain, forget, val):
    """Start the most agreed-on convolution weights anew and fine-tune with a cosine schedule down to zero."""
    reinitialize(net, gradient_differences(net, retain, forget))
    optimizer = torch.optim.SGD(net.parameters(), lr=LEARNING_RATE, momentum=MOMENTUM, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, EPOCHS * len(retain))
    for _ in range(EPOCHS):
        for inputs, targets in retain:
            optimizer.zero_grad()
            cross_entropy(net(inputs), targets).backward()
            optimizer.step()
            schedule.step()
    return net


def convolutions(net):
    """All convolutions of a network."""
    return [module for module in net.modules() if isinstance(module, nn.Conv2d)]


def gradient_differences(net, retain, forget):
    """For each convolution the absolute gradient on a random part of retain less that on forget."""
    as_many = RandomSampler(retain.dataset, num_samples=len(forget.dataset))
    part_of_retain = DataLoader(retain.dataset, batch_size=forget.batch_size, sampler=as_many)
    net.eval()
    net.zero_grad()
    for batches, sign in ((part_of_retain, 1), (forget, -1)):
        for inputs, targets in batches:
            (sign * cross_entropy(net(inputs), targets)).backward()
    net.train()
    differences = [module.weight.grad.abs() for module in convolutions(net)]
    net.zero_grad()
    return differences


@torch.no_grad()
def reinitialize(net, differences):
    """Draw the share of the convolution weights with the smallest differences from He's distribution."""
    everywhere = torch.cat([difference.flatten() for difference in differences])
    threshold = everywhere.kthvalue(max(1, int(SHARE * len(everywhere)))).values
    for module, difference in zip(convolutions(net), differences, strict=True):
        fresh = nn.init.kaiming_normal_(torch.empty_like(module.weight), mode="fan_out", nonlinearity="relu")
        module.weight.copy_(torch.where(difference <= threshold, fresh, module.weight))
