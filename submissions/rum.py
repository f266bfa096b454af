"""Split the forget set into thirds by how well they are memorised, and unlearn each in its own way, the least first.

A low confidence in the true class stands for memorisation. The third with the highest confidence is left alone, because
the model would mostly know it anyway. The middle third is forgotten by fine-tuning on the retain set and, as in the
public code, on the last third. Then the last third is forgotten by SalUn: random labels on it and true labels on the
retain set, shuffled together. Only the half of the weights with the largest gradients on this third is trained by
gradients.

Weights whose gradient is zero do not count towards that half; with 32x32 pictures, most of a ResNet-18's never
influence an output. The gradient is taken at fixed weights; the public code updates them while it sums. As there,
momentum and weight decay reach all weights. With a single example only SalUn runs. The mask keeps the largest
gradients, as the paper says; that of the public code keeps the smallest, because a sign is missing.

On digits fine-tuning takes 60 steps and SalUn 30; on the source's CIFAR-10 they take some 1,800 and 900.

Source: RUM of Zhao et al., "What Makes Unlearning Hard and What to Do About It" (2024), with the constants of its
public code. Confidence as a proxy is that of the authors' "Scalability of Memorization-Based Machine Unlearning"
(2024); there it is averaged over the epochs of training, which a submission does not see, so here it is the final
model's.
Cost: 15 passes over the retain set, two and a half times the budget.
"""

import torch
from torch.nn.functional import cross_entropy
from torch.utils.data import ConcatDataset, DataLoader, Dataset, Subset

FINETUNE_EPOCHS = 10
SALUN_EPOCHS = 5
SALIENT_SHARE = 0.5
BATCH_SIZE = 256
LEARNING_RATE = 0.1
MOMENTUM = 0.9
WEIGHT_DECAY = 5e-4

RANGES = {
    "LEARNING_RATE": (1e-3, 0.5),
    "FINETUNE_EPOCHS": (0, 10),
    "SALUN_EPOCHS": (1, 10),
    "SALIENT_SHARE": (0.1, 0.9),
}

NOT_ASKED = -100
"""Where a sequence of targets has no class."""


def unlearning(net, retain, forget, val):
    """Leave the least memorised third, fine-tune away the next, relabel the last."""
    if not len(forget.dataset):
        raise NotImplementedError("This method needs examples, and this task only describes what is to be forgotten.")
    high, middle, _ = (Subset(forget.dataset, rows.tolist()) for rows in thirds(confidences(net, forget.dataset)))
    if len(middle):
        fine_tune(net, ConcatDataset([retain.dataset, high]))
    salun(net, retain.dataset, high)
    return net


def thirds(confidence):
    """Rows of the most, the middle and the least memorised third: confidence from the lowest to the highest."""
    return confidence.argsort().tensor_split(3)


@torch.no_grad()
def confidences(net, examples):
    """[n] the probability of the true class, in order; the mean over those that an example asks for."""
    net.eval()
    parts = []
    for inputs, targets in DataLoader(examples, BATCH_SIZE):
        right = torch.exp(-cross_entropy(net(inputs), targets, reduction="none"))
        asked = targets != NOT_ASKED
        parts.append((right * asked).reshape(len(targets), -1).sum(1) / asked.reshape(len(targets), -1).sum(1))
    net.train()
    return torch.cat(parts)


def fine_tune(net, examples):
    """Train on examples with their true labels, at a constant learning rate."""
    optimizer = sgd(net)
    for _ in range(FINETUNE_EPOCHS):
        for inputs, targets in batches(examples):
            optimizer.zero_grad()
            cross_entropy(net(inputs), targets).backward()
            optimizer.step()


def salun(net, retain, forget):
    """Train the salient weights on true labels of ``retain`` and random ones of ``forget``."""
    masks = salient(net, forget)
    both: ConcatDataset = ConcatDataset([Marked(retain, False), Marked(forget, True)])
    optimizer = sgd(net)
    for _ in range(SALUN_EPOCHS):
        for inputs, targets, forgotten in batches(both):
            optimizer.zero_grad()
            logits = net(inputs)
            cross_entropy(logits, relabelled(targets, forgotten, logits.shape[1])).backward()
            for weight, mask in zip(net.parameters(), masks, strict=True):
                if weight.grad is not None:
                    weight.grad.mul_(mask)
            optimizer.step()


def salient(net, examples):
    """A mask for each weight tensor: where the gradient of the examples' loss is large."""
    net.eval()
    net.zero_grad()
    for inputs, targets in DataLoader(examples, BATCH_SIZE):
        cross_entropy(net(inputs), targets).backward()
    net.train()
    gradients = [torch.zeros_like(one) if one.grad is None else one.grad.abs() for one in net.parameters()]
    net.zero_grad()
    everywhere = torch.cat([gradient.flatten() for gradient in gradients])
    everywhere = everywhere[everywhere > 0]
    rank = max(1, round((1 - SALIENT_SHARE) * len(everywhere)))
    threshold = everywhere.kthvalue(rank).values if len(everywhere) else 0
    return [gradient > threshold for gradient in gradients]


def relabelled(targets, forgotten, classes):
    """The targets, with random classes wherever a forget example asks for one."""
    chosen = forgotten.to(targets.device).view(-1, *[1] * (targets.ndim - 1)) & (targets != NOT_ASKED)
    return torch.where(chosen, torch.randint_like(targets, classes), targets)


class Marked(Dataset):
    """Examples, each with whether it is to be forgotten."""

    def __init__(self, examples, forgotten):
        self.examples, self.forgotten = examples, forgotten

    def __len__(self):
        return len(self.examples)

    def __getitem__(self, index):
        inputs, targets = self.examples[index]
        return inputs, targets, self.forgotten


def batches(examples):
    """A loader of shuffled batches."""
    # Batch norm cannot train on one example.
    return DataLoader(examples, BATCH_SIZE, shuffle=True, drop_last=len(examples) % BATCH_SIZE == 1)


def sgd(net):
    """The optimizer of both stages."""
    return torch.optim.SGD(net.parameters(), lr=LEARNING_RATE, momentum=MOMENTUM, weight_decay=WEIGHT_DECAY)
