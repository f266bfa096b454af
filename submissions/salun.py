"""Train only the weights that matter to the forget set, on random labels for it and on the retain set.

The weights with the largest gradients of the forget set's loss are salient and trained: half of those that have a
gradient. All others are frozen and keep their exact values. Each epoch is one pass over the forget set, with newly
drawn labels, and one over the retain set.

The gradient is taken at the original weights, as in the paper; the public code updates the weights while it sums. As
in the latest public code, weight decay and momentum leave the frozen weights unchanged.

With 32x32 pictures, more than half of the weights of torchvision's ResNet-18 never influence an output, so their
gradients are zero. Half of all weights would then be frozen without any choice among those that matter. The authors'
ResNet-18 has another stem and no such weights, so there both rules freeze the same half.

Source: SalUn of Fan et al., "SalUn: Empowering Machine Unlearning via Gradient-based Weight Saliency" (2024), with the
constants of its public code for a random tenth of CIFAR-10. Ten epochs are about 1,800 steps there; on digits they are
70.
Cost: ten passes over the retain set in batches of 256 and eleven over the forget set, over the competition's budget.
"""

import torch
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader

EPOCHS = 10
BATCH_SIZE = 256
SALIENT_SHARE = 0.5
LEARNING_RATE = 0.013
MOMENTUM = 0.9
WEIGHT_DECAY = 5e-4

NOT_ASKED = -100
"""Where a sequence of targets has no class."""

RANGES = {"EPOCHS": (1, 15), "SALIENT_SHARE": (0.05, 1.0), "LEARNING_RATE": (1e-3, 0.3)}


def unlearning(net, retain, forget, val):
    """Find the salient weights, then train them at a constant learning rate."""
    if not len(forget.dataset):
        raise NotImplementedError("This method needs examples, and this task only describes what is to be forgotten.")
    frozen = find_frozen(net, forget)
    original = [weight.detach().clone() for weight in net.parameters()]
    passes = [(batches_of(forget.dataset), True), (batches_of(retain.dataset), False)]
    optimizer = torch.optim.SGD(net.parameters(), lr=LEARNING_RATE, momentum=MOMENTUM, weight_decay=WEIGHT_DECAY)
    for _ in range(EPOCHS):
        for batches, to_forget in passes:
            for inputs, targets in batches:
                optimizer.zero_grad()
                logits = net(inputs)
                if to_forget:
                    drawn = torch.randint(logits.shape[1], targets.shape, device=targets.device)
                    targets = drawn.where(targets != NOT_ASKED, targets)
                cross_entropy(logits, targets).backward()
                optimizer.step()
                restore(net, original, frozen)
    return net


def batches_of(examples):
    """A loader of larger batches."""
    # Batch norm cannot train on one example.
    return DataLoader(examples, BATCH_SIZE, shuffle=len(examples) > 0, drop_last=len(examples) % BATCH_SIZE == 1)


def find_frozen(net, forget):
    """A mask for each weight tensor: True where the gradient of the forget set's loss is small."""
    net.eval()
    net.zero_grad()
    for inputs, targets in forget:
        cross_entropy(net(inputs), targets).backward()
    net.train()
    gradients = [torch.zeros_like(one) if one.grad is None else one.grad.abs() for one in net.parameters()]
    net.zero_grad()
    everywhere = torch.cat([gradient[gradient > 0] for gradient in gradients])
    frozen = round((1 - SALIENT_SHARE) * len(everywhere))
    threshold = everywhere.kthvalue(frozen).values if frozen else 0
    return [gradient <= threshold for gradient in gradients]


@torch.no_grad()
def restore(net, original, frozen):
    """Set the frozen weights back to their original values."""
    for weight, before, mask in zip(net.parameters(), original, frozen, strict=True):
        weight.copy_(torch.where(mask, before, weight))
