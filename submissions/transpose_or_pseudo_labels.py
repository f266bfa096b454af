"""Draw one of two ways for each model: transpose all kernels, or learn the mistakes that retraining would make.

A transposed kernel still finds edges, but not where the network expects them; fine-tuning on the retain set has to
sort that out. The other way fine-tunes on the retain set together with the forget set, whose labels are guesses of
what a retrained model would answer. A mixture of two ways spreads the models more widely than either does.

How the guesses were made is not public. Here a forget example gets an answer that the original model gives to some
validation example of the same class: it makes there the mistakes that a model makes on what it never saw.

Source: the fifth of the competition's winners.
Cost: three passes over the retain set, half of the competition's budget; one way also passes over the rest.
"""

import torch
from torch import nn
from torch.nn.functional import cross_entropy

TRANSPOSED_MODELS = 246
RELABELLED_MODELS = 266
EPOCHS = 3
LEARNING_RATE = 1e-3
MOMENTUM = 0.9
WEIGHT_DECAY = 5e-4


def unlearning(net, retain, forget, val):
    """Toss the coin and go one of the two ways."""
    if torch.rand(()) < TRANSPOSED_MODELS / (TRANSPOSED_MODELS + RELABELLED_MODELS):
        transpose_kernels(net)
        fine_tune(net, lambda: retain)
    else:
        inputs, guesses = guess_answers(net, forget, val)
        fine_tune(net, lambda: spread_among(retain, inputs, guesses))
    return net


def fine_tune(net, deal):
    """Train on what is dealt anew for each epoch, with a cosine schedule."""
    optimizer = torch.optim.SGD(net.parameters(), lr=LEARNING_RATE, momentum=MOMENTUM, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, EPOCHS)
    for _ in range(EPOCHS):
        for inputs, targets in deal():
            if len(targets) > 1:  # batch norm cannot train on a single example
                optimizer.zero_grad()
                cross_entropy(net(inputs), targets).backward()
                optimizer.step()
        schedule.step()


@torch.no_grad()
def transpose_kernels(net):
    """Swap the two spatial axes of all convolution kernels."""
    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            module.weight.copy_(module.weight.transpose(2, 3).clone())


@torch.no_grad()
def guess_answers(net, forget, val):
    """All forget examples, and for each of them an answer to a validation example of its class, if there is one."""
    net.eval()
    classes, answers = (torch.cat(column) for column in zip(*((y, net(x).argmax(1)) for x, y in val), strict=True))
    net.train()
    inputs, targets = (torch.cat(column) for column in zip(*forget, strict=True))
    guesses = targets.clone()
    for one_class in targets.unique():
        candidates, ours = answers[classes == one_class], targets == one_class
        if len(candidates):
            draws = torch.randint(len(candidates), (int(ours.sum()),), device=candidates.device)
            guesses[ours] = candidates[draws]
    return inputs, guesses


def spread_among(loader, more_inputs, more_targets):
    """The batches of a pass, with more examples dealt out evenly among them."""
    order = torch.randperm(len(more_targets), device=more_targets.device)
    for (inputs, targets), some in zip(loader, order.tensor_split(len(loader)), strict=True):
        yield torch.cat([inputs, more_inputs[some]]), torch.cat([targets, more_targets[some]])
