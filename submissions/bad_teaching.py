"""Imitate a good teacher on the retain set and a bad one on the forget set.

The good teacher is the original, the bad one a network of random weights. The model learns the answers of both, each
on its own set, from batches in which the two are mixed. A part of the retain set is enough to hold it in place.

Source: Chundawat et al., "Can Bad Teaching Induce Forgetting?" (2023).
Cost: a pass over a third of the retain set and over the forget set, with the answers of two teachers.
"""

import copy

import torch
from torch.nn.functional import kl_div, log_softmax, softmax
from torch.utils.data import DataLoader, RandomSampler

EPOCHS = 1
RETAIN_SHARE = 0.3
BATCH_SIZE = 256
LEARNING_RATE = 1e-4
TEMPERATURE = 1


def unlearning(net, retain, forget, val):
    """Learn from both teachers at once."""
    good, bad = copy.deepcopy(net).eval(), copy.deepcopy(net).eval()
    for module in bad.modules():
        if hasattr(module, "reset_parameters"):
            module.reset_parameters()
    a_part = RandomSampler(retain.dataset, num_samples=max(1, round(RETAIN_SHARE * len(retain.dataset))))
    retain = DataLoader(retain.dataset, batch_size=BATCH_SIZE, sampler=a_part)
    optimizer = torch.optim.Adam(net.parameters(), lr=LEARNING_RATE)
    for _ in range(EPOCHS):
        for to_keep, to_forget in mixed(retain, forget):
            inputs = torch.cat([to_keep, to_forget])
            if len(inputs) > 1:  # batch norm cannot train on a single example
                wanted = torch.cat([answers(good, to_keep), answers(bad, to_forget)])
                optimizer.zero_grad()
                kl_div(log_softmax(net(inputs) / TEMPERATURE, dim=1), wanted, reduction="batchmean").backward()
                optimizer.step()
    return net


def mixed(retain, forget):
    """The inputs of both sets, those of the second dealt out evenly among the batches of the first."""
    forget_inputs = torch.cat([inputs for inputs, _ in forget])
    order = torch.randperm(len(forget_inputs), device=forget_inputs.device)
    for (inputs, _), some in zip(retain, order.tensor_split(len(retain)), strict=True):
        yield inputs, forget_inputs[some]


@torch.no_grad()
def answers(teacher, inputs):
    """A teacher's probabilities."""
    return softmax(teacher(inputs) / TEMPERATURE, dim=1)
