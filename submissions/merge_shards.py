"""Train one network per shard from a common start and average the weights; to forget, retrain the affected shards.

Exact. All shards start from one trunk, trained briefly on the validation set, which no request ever touches. Weights
trained from a common start can be averaged; averaged from different starts, they give a network that guesses at random.
Batch norm's statistics are then re-estimated on all remaining training examples. To forget, the affected shards are
retrained from the trunk, and the average is recomputed.

The average is uniform. A greedy one, which adds a shard only if validation accuracy rises, depends on all shards: every
choice would have to be repeated after each request, or forgotten examples would still influence which shards are used.

Source: Wortsman et al., Model soups, ICML 2022, for averaging; Bourtoule et al., IEEE S&P 2021, for shards.
Cost: learning takes 1.7 times as long as training one network; unlearning about 1 / SHARDS of that.
"""

import copy
import hashlib

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader

SHARDS = 5
TRUNK_EPOCHS = 20
EPOCHS = 10
LEARNING_RATE = 0.1
SHARD_LEARNING_RATE = 0.02
BATCH_SIZE = 64


class Merged(nn.Module):
    """The average of the shards' networks, and what it takes to make it again.

    Attributes:
        net: the average, which answers.
        trunk: the state that all shards start from.
        shards: the trained state of each; None for one without examples.
        seed: what everything random follows from.
        details: what the last request touched, for the report.
    """

    def __init__(self, net: nn.Module, seed: int) -> None:
        super().__init__()
        self.net = net
        self.trunk: dict[str, Tensor] = {}
        self.shards: list[dict[str, Tensor] | None] = [None] * SHARDS
        self.seed = seed
        self.details = {"shards touched": float(SHARDS)}

    def forward(self, inputs: Tensor) -> Tensor:
        """[B, ...] inputs to [B, C] logits."""
        return self.net(inputs)


def learning(net: nn.Module, train: DataLoader, val: DataLoader) -> nn.Module:
    """Train the trunk on the validation set, then all shards.

    Args:
        net: a fresh network of the task.
        train: loader of the examples to learn.
        val: loader of the examples for the trunk.
    """
    model = Merged(net, seed=int(torch.randint(2**62, ())))
    data = everything_in(train)
    fit(net, everything_in(val), TRUNK_EPOCHS, LEARNING_RATE, model.seed, "trunk")
    model.trunk = copy.deepcopy(net.state_dict())
    for shard in range(SHARDS):
        train_shard(model, shard, data)
    merge(model, data)
    return model


def unlearning(net: nn.Module, retain: DataLoader, forget: DataLoader, val: DataLoader) -> nn.Module:
    """Train the touched shards again, and average again."""
    assert isinstance(net, Merged), "learning made it"
    touched = {person % SHARDS for person in everything_in(forget)[3].tolist()}
    data = everything_in(retain)
    for shard in sorted(touched):
        train_shard(net, shard, data)
    merge(net, data)
    net.details = {"shards touched": float(len(touched))}
    return net


def train_shard(model: Merged, shard: int, data: tuple[Tensor, ...]) -> None:
    """Train a shard from the trunk on its examples: those of every SHARDS-th person."""
    mine = data[3] % SHARDS == shard
    if int(mine.sum()) < 2:
        model.shards[shard] = None
        return
    model.net.load_state_dict(model.trunk)
    own = tuple(column[mine] for column in data)
    fit(model.net, own, EPOCHS, SHARD_LEARNING_RATE, model.seed, shard)
    model.shards[shard] = copy.deepcopy(model.net.state_dict())


def merge(model: Merged, data: tuple[Tensor, ...]) -> None:
    """Average the shards' weights, and estimate batch norm's statistics of the average."""
    states = [state for state in model.shards if state is not None] or [model.trunk]
    mean = {
        name: torch.stack([state[name] for state in states]).mean(dim=0) if value.is_floating_point() else value
        for name, value in model.trunk.items()
    }
    net = model.net
    net.load_state_dict(mean)
    norms = [one for one in net.modules() if isinstance(one, nn.modules.batchnorm._BatchNorm)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        # None stands for the plain mean over all batches.
        norm.momentum = None
    net.train()
    with torch.no_grad():
        for inputs in data[0].split(4 * BATCH_SIZE):
            if len(inputs) > 1:
                net(inputs)
    for norm, momentum in zip(norms, momenta, strict=True):
        # Otherwise a shard that is trained again would keep other statistics than at first.
        norm.momentum = momentum


def fit(net: nn.Module, data: tuple[Tensor, ...], epochs: int, rate: float, *key: object) -> None:
    """Train a network on all of the data, with randomness that follows from a key."""
    torch.manual_seed(int.from_bytes(hashlib.sha256(repr(key).encode()).digest()[:7], "little"))
    inputs, targets = data[:2]
    # Batch norm cannot train on a batch of one.
    if len(targets) < 2:
        return
    optimizer = torch.optim.SGD(net.parameters(), lr=rate, momentum=0.9, weight_decay=5e-4)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
    net.train()
    for _ in range(epochs):
        for batch in torch.randperm(len(targets)).split(BATCH_SIZE):
            if len(batch) > 1:
                optimizer.zero_grad()
                cross_entropy(net(inputs[batch]), targets[batch]).backward()
                optimizer.step()
        schedule.step()
    # The last gradient is of these examples, and would stay in the model.
    net.zero_grad()


def everything_in(loader: DataLoader) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Inputs, targets, ids and persons of all examples, in the order of their ids."""
    found = [(*batch, batch["image_id"], batch["person_id"]) for batch in loader]
    columns = [torch.cat(column) for column in zip(*found, strict=True)]
    order = columns[2].argsort()
    inputs, targets, ids, people = (column[order] for column in columns)
    return inputs, targets, ids, people
