"""Imitate the original on the retain set and a randomly initialised network on the forget set.

Both networks are teachers. Each batch mixes retain and forget examples, and the model learns the outputs of the good
teacher on the former and of the bad one on the latter. A part of the retain set is enough to preserve accuracy.

Source: Chundawat et al., "Can Bad Teaching Induce Forgetting?" (2023).
Cost: one pass over 30% of the retain set and over the forget set, with the outputs of two teachers.
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
    reset(bad)
    count = max(2, round(RETAIN_SHARE * len(retain.dataset)))
    sampler = RandomSampler(retain.dataset, num_samples=count)
    # Batch norm cannot train on one example.
    retain = DataLoader(retain.dataset, batch_size=BATCH_SIZE, sampler=sampler, drop_last=count % BATCH_SIZE == 1)
    optimizer = torch.optim.Adam(net.parameters(), lr=LEARNING_RATE)
    for _ in range(EPOCHS):
        for to_keep, to_forget in mixed_batches(retain, forget):
            wanted = torch.cat([probabilities(good, to_keep), probabilities(bad, to_forget)])
            optimizer.zero_grad()
            logits = net(torch.cat([to_keep, to_forget]))
            kl_div(log_softmax(logits / TEMPERATURE, dim=1), wanted, reduction="batchmean").backward()
            optimizer.step()
    return net


def reset(net):
    """Re-initialise every layer by PyTorch's defaults."""
    for module in net.modules():
        if hasattr(module, "reset_parameters"):
            module.reset_parameters()
        elif next(module.parameters(recurse=False), None) is not None:
            kind = type(module).__name__
            raise NotImplementedError(
                f"This method resets all layers, and {kind} in this network has no reset_parameters()."
            )


def mixed_batches(retain, forget):
    """The inputs of each retain batch, paired with an equal share of the shuffled forget inputs."""
    forget_inputs = torch.cat([inputs for inputs, _ in forget])
    order = torch.randperm(len(forget_inputs), device=forget_inputs.device)
    for (inputs, _), rows in zip(retain, order.tensor_split(len(retain)), strict=True):
        yield inputs, forget_inputs[rows]


@torch.no_grad()
def probabilities(teacher, inputs):
    """The teacher's softened class probabilities."""
    return softmax(teacher(inputs) / TEMPERATURE, dim=1)
