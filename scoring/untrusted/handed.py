"""What code that must not be trusted gets, and the calls that it answers."""

from collections.abc import Callable
from typing import Protocol, Self

import torch
from torch import nn

from scoring.untrusted.submission import Submission
from starter_kit.answers import loss
from starter_kit.examples import BATCH_SIZE, Examples, split_into_batches

Call = Callable[[bytes], bytes]
"""A run that is ready to start: from a request to what it asks for. It raises whatever the submission raises."""


class Handed(Protocol):
    """All that a submission's process holds: neither the test set, nor a pool, nor the store. It must be picklable."""

    @property
    def submission(self) -> Submission:
        """The file to run."""

    @property
    def device(self) -> str:
        """Where a run computes."""

    @property
    def one_request(self) -> bool:
        """Whether a run ends once it has answered a request. Otherwise it waits for others."""

    @property
    def most(self) -> int:
        """How many bytes an answer may have."""

    def copied(self, device: str) -> Self:
        """The same with tensors of its own, the examples on a device. Nobody else sees them being written to."""

    def warm_up(self) -> None:
        """Do once what every run would have to do again, without executing the submission."""

    def prepare(self) -> Call:
        """Make all that a run gets, and return the function that runs it. The tensors are the run's own."""


def copied(examples: Examples, device: str) -> Examples:
    """Examples of one's own on a device."""
    own = examples.with_columns(column.to("cpu", copy=True) for column in examples.columns)
    return own.to(torch.device(device))


def train_briefly(net: nn.Module, *sets: Examples) -> None:
    """Train and answer with a batch of each size that the loaders of these sets deal.

    Kernels are chosen and compiled for each size, which no run has to do again.
    """
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    met: set[int] = set()
    for examples in sets:
        batches = split_into_batches(torch.arange(len(examples)), BATCH_SIZE)
        for index in (*batches[:1], *batches[-1:]):
            # Batch norm cannot train on a batch of one.
            if len(index) in met | {1}:
                continue
            met.add(len(index))
            inputs, targets = examples.take(index)
            optimizer.zero_grad()
            loss(net.train()(inputs), targets).backward()
            optimizer.step()
            with torch.no_grad():
                net.eval()(inputs)
