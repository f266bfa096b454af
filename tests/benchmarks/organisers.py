"""The organisers' way, written anew from what is known of it, to be measured against. Nothing else uses it.

Their training: a loader over a list of dictionaries with no worker, one model after the other, eager steps of Adam
on batches of 64, and some twenty scalars read back from the device in each step. Their metric: every threshold
compared with every model.
"""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader

from scoring.epsilon import epsilon_of_rates
from starter_kit.batches import Examples

READS_A_STEP = 20
BATCH_SIZE = 64


def loader_of_dicts(examples: Examples) -> DataLoader:
    """Their loader: a list of dictionaries, collated one batch at a time."""
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
    """Train for an epoch; each value that is taken is one more step done."""
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-4, weight_decay=5e-3)
    net.train()
    for batch in loader:
        inputs, targets = batch["image"].to(device), batch["age_group"].to(device)
        optimizer.zero_grad()
        logits = net(inputs)
        loss = cross_entropy(logits, targets)
        loss.backward()
        optimizer.step()
        correct = (logits.argmax(dim=1) == targets).sum()
        for _ in range(READS_A_STEP // 2):
            loss.item()
            correct.item()
        yield


@torch.no_grad()
def answers(net: nn.Module, loaders: list[DataLoader], device: torch.device) -> None:
    """What a trained network answers to each set, one loader of dictionaries after the other."""
    net.eval()
    for loader in loaders:
        for batch in loader:
            logits = net(batch["image"].to(device))
            (logits.argmax(dim=1) == batch["age_group"].to(device)).sum().item()
            logits.cpu().numpy()


def epsilon(unlearned: np.ndarray, retrained: np.ndarray) -> float:
    """One example's epsilon between two pools of N by comparing all of some 160,000 rules with all models."""
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
    left = torch.from_numpy(np.concatenate([np.linspace(r - width - 2, r - width + 2, 400) for r in right]))
    right = torch.from_numpy(np.repeat(right, 400))

    def inside(pool: np.ndarray) -> Tensor:
        confidences = torch.from_numpy(pool)[:, None]
        return ((left <= confidences) & (confidences <= right)).float()

    return inside(negative).mean(0), (1 - inside(positive)).mean(0)
