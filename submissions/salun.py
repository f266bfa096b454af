"""Train only the weights that matter to the forget set, on random labels for it and on the retain set.

The half of all weights with the largest gradients of the forget set's loss is salient and trained. The other half is
frozen and keeps its exact values. Each epoch is one pass over the forget set, with newly drawn labels, and one over
the retain set.

The gradient is taken at the original weights, as in the paper; the public code updates the weights while it sums. As
in the latest public code, weight decay and momentum leave the frozen half unchanged.

With 32x32 pictures, more than half of a ResNet-18's weights never influence an output, so their gradients are zero.
They then form the frozen half, and every weight that influences an output is trained.

Source: SalUn of Fan et al., "SalUn: Empowering Machine Unlearning via Gradient-based Weight Saliency" (2024); five
epochs instead of ten.
Cost: five passes over the retain set and six over the forget set; within the competition's budget if the forget set is
small.
"""

import torch
from torch.nn.functional import cross_entropy

EPOCHS = 5
SALIENT_SHARE = 0.5
LEARNING_RATE = 0.01
MOMENTUM = 0.9
WEIGHT_DECAY = 5e-4


def unlearning(net, retain, forget, val):
    """Find the salient weights, then train them at a constant learning rate."""
    frozen = find_frozen(net, forget)
    original = [weight.detach().clone() for weight in net.parameters()]
    optimizer = torch.optim.SGD(net.parameters(), lr=LEARNING_RATE, momentum=MOMENTUM, weight_decay=WEIGHT_DECAY)
    for _ in range(EPOCHS):
        for loader in (forget, retain):
            if len(loader.dataset) == 1:
                continue  # batch norm cannot train on one example
            for inputs, targets in loader:
                optimizer.zero_grad()
                logits = net(inputs)
                if loader is forget:
                    targets = torch.randint(logits.shape[1], targets.shape, device=targets.device)
                cross_entropy(logits, targets).backward()
                optimizer.step()
                restore(net, original, frozen)
    return net


def find_frozen(net, forget):
    """A mask for each weight tensor: True where the gradient of the forget set's loss is small."""
    net.eval()
    net.zero_grad()
    for inputs, targets in forget:
        cross_entropy(net(inputs), targets).backward()
    net.train()
    gradients = [weight.grad.abs() for weight in net.parameters()]
    net.zero_grad()
    everywhere = torch.cat([gradient.flatten() for gradient in gradients])
    threshold = everywhere.kthvalue(max(1, round((1 - SALIENT_SHARE) * len(everywhere)))).values
    return [gradient <= threshold for gradient in gradients]


@torch.no_grad()
def restore(net, original, frozen):
    """Set the frozen weights back to their original values."""
    for weight, before, mask in zip(net.parameters(), original, frozen, strict=True):
        weight.copy_(torch.where(mask, before, weight))
