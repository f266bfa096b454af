"""Choose at random for each model: transpose all kernels, or learn the mistakes that retraining would make.

A transposed kernel still detects edges, but in other directions than the network expects; fine-tuning on the retain
set repairs that. The other way fine-tunes on both sets, with forget examples labelled by a guess of what a retrained
model would predict. Mixing two ways spreads the models more widely than either does alone.

How the winner made these guesses is not public. Here each forget example gets the original's prediction for a random
validation example of the same class: there the original makes the mistakes of a model on unseen examples.

Source: fifth place in the NeurIPS 2023 Machine Unlearning Challenge.
Cost: three passes over the retain set, half of the competition's budget; one of the ways also uses the other two sets.
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
    """Draw one of the two ways and follow it."""
    if not any(isinstance(module, nn.Conv2d) for module in net.modules()):
        raise NotImplementedError("This method transposes convolutions (Conv2d), and this network has none.")
    if torch.rand(()) < TRANSPOSED_MODELS / (TRANSPOSED_MODELS + RELABELLED_MODELS):
        transpose_kernels(net)
        fine_tune(net, lambda: retain)
    else:
        inputs, guesses = guess_labels(net, forget, val)
        fine_tune(net, lambda: spread_among(retain, inputs, guesses))
    return net


def fine_tune(net, batches_of_epoch):
    """Train with a cosine schedule; ``batches_of_epoch`` returns the batches of a new epoch."""
    optimizer = torch.optim.SGD(net.parameters(), lr=LEARNING_RATE, momentum=MOMENTUM, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, EPOCHS)
    for _ in range(EPOCHS):
        for inputs, targets in batches_of_epoch():
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
def guess_labels(net, forget, val):
    """All forget inputs, and for each the prediction for a random validation example of its class, if there is one."""
    net.eval()
    classes, predictions = (torch.cat(column) for column in zip(*((y, net(x).argmax(1)) for x, y in val), strict=True))
    net.train()
    inputs, targets = (torch.cat(column) for column in zip(*forget, strict=True))
    guesses = targets.clone()
    for one_class in targets.unique():
        candidates, members = predictions[classes == one_class], targets == one_class
        if len(candidates):
            draws = torch.randint(len(candidates), (int(members.sum()),), device=candidates.device)
            guesses[members] = candidates[draws]
    return inputs, guesses


def spread_among(loader, more_inputs, more_targets):
    """The batches of one pass, with further examples spread evenly among them."""
    order = torch.randperm(len(more_targets), device=more_targets.device)
    for (inputs, targets), rows in zip(loader, order.tensor_split(len(loader)), strict=True):
        yield torch.cat([inputs, more_inputs[rows]]), torch.cat([targets, more_targets[rows]])
