"""The organisers' way, rewritten from what is known of it, as a baseline for timing. Nothing else uses it.

Their training: one model after the other, a loader over a list of dictionaries without workers, eager steps of Adam on
batches of 64, and twenty-two scalars read back from the device in each step: the loss, the number of correct answers,
and both counts for each of ten classes. After each epoch the validation set is evaluated in the same way. Their metric:
every threshold is compared with every model, all in memory at once.
"""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader

from scoring.judging.epsilon import epsilon_of_rates
from starter_kit.examples import Examples

CLASSES = 10
BATCH_SIZE = 64


def loader_of_dicts(examples: Examples) -> DataLoader:
    """Their loader: a list of dictionaries, collated batch by batch."""
    dicts = [
        {
            "image": examples.inputs[place].cpu(),
            "image_id": str(place),
            "age_group": int(examples.targets[place]),
            "age": int(examples.targets[place]),
            "person_id": str(int(examples.person_id[place])),
        }
        for place in range(len(examples))
    ]
    return DataLoader(dicts, batch_size=BATCH_SIZE, shuffle=True)


def steps(net: nn.Module, loader: DataLoader, device: torch.device) -> Iterator[None]:
    """Train for an epoch. The iterator yields once after every step."""
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-4, weight_decay=5e-3)
    net.train()
    for batch in loader:
        inputs, targets = batch["image"].to(device), batch["age_group"].to(device)
        optimizer.zero_grad()
        logits = net(inputs)
        loss = cross_entropy(logits, targets)
        loss.backward()
        optimizer.step()
        _read_back(loss, logits, targets)
        yield


def epoch(net: nn.Module, loader: DataLoader, validation: DataLoader, device: torch.device) -> None:
    """Train for an epoch, then evaluate on the validation set."""
    for _ in steps(net, loader, device):
        pass
    net.eval()
    with torch.no_grad():
        for batch in validation:
            targets = batch["age_group"].to(device)
            logits = net(batch["image"].to(device))
            _read_back(cross_entropy(logits, targets), logits, targets)


def _read_back(loss: Tensor, logits: Tensor, targets: Tensor) -> None:
    """The counts that they keep in each step. Each ``item`` waits for the device."""
    right = logits.argmax(dim=1) == targets
    loss.item()
    right.sum().item()
    for label in range(CLASSES):
        of_class = targets == label
        of_class.sum().item()
        (right * of_class).float().sum().item()


@torch.no_grad()
def answers(net: nn.Module, loaders: list[DataLoader], device: torch.device) -> None:
    """Evaluate a trained network on each set, one loader of dictionaries after the other."""
    net.eval()
    for loader in loaders:
        for batch in loader:
            logits = net(batch["image"].to(device))
            (logits.argmax(dim=1) == batch["age_group"].to(device)).sum().item()
            logits.cpu().numpy()


def epsilon(unlearned: np.ndarray, retrained: np.ndarray) -> float:
    """One example's epsilon between two pools of N models, by applying each of some 160,000 rules to each model."""
    larger = np.median(retrained) > np.median(unlearned)
    positive, negative = (retrained, unlearned) if larger else (unlearned, retrained)
    best = max(_largest(*_single(positive, negative)), _largest(*_double(positive, negative)))
    return min(best, 50.0)


def _largest(fpr: Tensor, fnr: Tensor) -> float:
    return float(np.nanmax(epsilon_of_rates(fpr.numpy(), fnr.numpy(), 1e-5)))


def _single(positive: np.ndarray, negative: np.ndarray) -> tuple[Tensor, Tensor]:
    both = torch.from_numpy(np.concatenate([positive, negative]))
    thresholds = torch.linspace(both.min(), both.max(), int(np.ceil((both.max() - both.min()) * 100)))
    fpr = (torch.from_numpy(negative)[:, None] >= thresholds).float().mean(0)
    fnr = (torch.from_numpy(positive)[:, None] < thresholds).float().mean(0)
    return fpr, fnr


def _double(positive: np.ndarray, negative: np.ndarray) -> tuple[Tensor, Tensor]:
    if np.ptp(positive) >= np.ptp(negative):
        positive, negative = negative, positive
    width = np.ptp(positive)
    low, high = positive.min() + width - 2, positive.max() + 2
    right = np.linspace(low, high, int(np.ceil((high - low) * 100)))
    left = np.concatenate([np.linspace(r - width - 2, r - width + 2, 400) for r in right])
    right = np.repeat(right, 400)
    # They keep every pair for later, and four arrays [models, rules] in memory.
    pairs = list(zip(left, right, strict=True))
    shape = (len(positive), len(pairs))
    left, right = (torch.from_numpy(np.tile(ends, (len(positive), 1))) for ends in (left, right))
    pools = [torch.tile(torch.from_numpy(pool)[:, None], (1, shape[1])) for pool in (positive, negative)]

    def inside(pool: Tensor) -> Tensor:
        return torch.logical_and(torch.le(left, pool), torch.le(pool, right)).float()

    rates = [inside(pool).mean(0) for pool in pools]
    rates += [torch.logical_not(inside(pool)).float().mean(0) for pool in pools]
    return rates[1], rates[2]
