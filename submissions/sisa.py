"""Train shards of the data separately, slice by slice; to forget, retrain only from the first affected slice on.

Exact. Each of S networks learns from its own shard, which is cut into R slices: first from the first slice, then from
the first two, and so on, with a checkpoint before each. The model answers with the mean of the networks' probabilities.
To forget, each affected shard returns to the checkpoint before its first affected slice, and is retrained from there
without the forgotten examples.

An example's shard depends only on its person, so forgetting one person affects one shard; its slice depends only on a
hash of its id. So deleting one example moves no other. Before each slice, the random generator is reseeded from the
model's seed, the shard and the slice. So unlearned models are bit-identical to models that never saw the examples, even
after several requests; `make certify SUBMISSION=submissions/sisa.py` checks this. The answer is the log of a mean
probability, because counting votes would give infinite logits.

Source: Bourtoule et al., Machine Unlearning, IEEE S&P 2021: 2e / (R + 1) epochs per slice take as long as e epochs.
Cost: learning takes 1.3 times as long as training one network; unlearning 1 / SHARDS of that, or less if the request
touches only late slices.
"""

import copy
import hashlib
import math

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader

SHARDS = 5
SLICES = 4
EPOCHS = 10
LEARNING_RATE = 0.1
BATCH_SIZE = 64

EPOCHS_PER_SLICE = max(1, round(2 * EPOCHS / (SLICES + 1)))


class Sisa(nn.Module):
    """The networks of all shards, and their checkpoints.

    Attributes:
        networks: one per shard, fully trained.
        checkpoints: for each shard, the states of network and optimizer before each of its slices.
        seed: what everything random follows from.
        sizes: how many examples each shard has. Those with fewer than two do not contribute.
        details: what the last request touched, for the report.
    """

    def __init__(self, net: nn.Module, seed: int) -> None:
        super().__init__()
        self.networks = nn.ModuleList(copy.deepcopy(net) for _ in range(SHARDS))
        self.checkpoints: list[list[dict]] = [[] for _ in range(SHARDS)]
        self.seed = seed
        self.sizes = [0] * SHARDS
        self.details = {"shards touched": float(SHARDS), "slices touched": float(SHARDS * SLICES)}

    def forward(self, inputs: Tensor) -> Tensor:
        """[B, ...] inputs to [B, C] logits: the logarithm of the networks' mean probability."""
        asked = [net for net, size in zip(self.networks, self.sizes, strict=True) if size > 1]
        answers = torch.stack([net(inputs).log_softmax(dim=1) for net in asked])
        return answers.logsumexp(dim=0) - math.log(len(asked))


def learning(net: nn.Module, train: DataLoader, val: DataLoader) -> nn.Module:
    """Train all shards from their first slice on.

    Args:
        net: a fresh network of the task.
        train: loader of the examples to learn.
        val: loader of other examples, which are not needed.
    """
    model = Sisa(net, seed=int(torch.randint(2**62, ())))
    data = everything_in(train)
    for shard in range(SHARDS):
        train_shard(model, shard, 0, data)
    return model


def unlearning(net: nn.Module, retain: DataLoader, forget: DataLoader, val: DataLoader) -> nn.Module:
    """Train the touched shards again, each from the first slice that is touched."""
    assert isinstance(net, Sisa), "learning made it"
    _, _, forgotten, people = everything_in(forget)
    touched: dict[int, int] = {}
    for one, person in zip(forgotten.tolist(), people.tolist(), strict=True):
        shard = person % SHARDS
        touched[shard] = min(bucket(SLICES, one), touched.get(shard, SLICES))
    data = everything_in(retain)
    for shard, first in touched.items():
        train_shard(net, shard, first, data)
    slices = sum(SLICES - first for first in touched.values())
    net.details = {"shards touched": float(len(touched)), "slices touched": float(slices)}
    return net


def train_shard(model: Sisa, shard: int, first: int, data: tuple[Tensor, ...]) -> None:
    """Train a shard's network on its slices from ``first`` on, starting from the checkpoint before it."""
    inputs, targets, ids, people = data
    net = model.networks[shard].train()
    if not first:
        draw_again(net, model.seed, shard)
    optimizer = torch.optim.SGD(net.parameters(), lr=LEARNING_RATE, momentum=0.9, weight_decay=5e-4)
    checkpoints = model.checkpoints[shard]
    if first:
        net.load_state_dict(checkpoints[first]["net"])
        # The optimizer takes the tensors that it loads for its own.
        optimizer.load_state_dict(copy.deepcopy(checkpoints[first]["optimizer"]))
    del checkpoints[first:]
    mine = [place for place, one in enumerate(people.tolist()) if one % SHARDS == shard]
    model.sizes[shard] = len(mine)
    slices = [bucket(SLICES, int(ids[place])) for place in mine]
    steps = EPOCHS_PER_SLICE * SLICES
    for number in range(first, SLICES):
        checkpoints.append(copy.deepcopy({"net": net.state_dict(), "optimizer": optimizer.state_dict()}))
        seed_for(model.seed, shard, number)
        places = torch.tensor([place for place, slice_ in zip(mine, slices, strict=True) if slice_ <= number])
        for epoch in range(EPOCHS_PER_SLICE):
            done = (number * EPOCHS_PER_SLICE + epoch) / steps
            for group in optimizer.param_groups:
                group["lr"] = LEARNING_RATE * (1 + math.cos(math.pi * done)) / 2
            for batch in batches(places):
                optimizer.zero_grad()
                cross_entropy(net(inputs[batch]), targets[batch]).backward()
                optimizer.step()


def batches(places: Tensor) -> list[Tensor]:
    """The places in random order, in batches; batch norm cannot train on one example, so none is left alone."""
    if len(places) < 2:
        return []
    found = list(places[torch.randperm(len(places))].split(BATCH_SIZE))
    if len(found[-1]) == 1:
        found[-2:] = [torch.cat(found[-2:])]
    return found


def everything_in(loader: DataLoader) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Inputs, targets, ids and persons of all examples, in the order of their ids."""
    found = [(*batch, batch["image_id"], batch["person_id"]) for batch in loader]
    columns = [torch.cat(column) for column in zip(*found, strict=True)]
    order = columns[2].argsort()
    inputs, targets, ids, people = (column[order] for column in columns)
    return inputs, targets, ids, people


def bucket(buckets: int, *key: object) -> int:
    """Which of so many buckets something belongs to: always the same one, whatever else there is."""
    return int.from_bytes(hashlib.sha256(repr(key).encode()).digest()[:8], "little") % buckets


def seed_for(*key: object) -> None:
    """Seed everything random from now on."""
    torch.manual_seed(bucket(2**63, *key))


def draw_again(net: nn.Module, *key: object) -> None:
    """Draw all weights of a network anew."""
    seed_for("weights", *key)
    for module in net.modules():
        if callable(reset := getattr(module, "reset_parameters", None)):
            reset()
