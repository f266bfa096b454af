"""Train many models at once."""

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from scoring.learners import Answer
from scoring.learners.fused.network import FusedNetwork
from starter_kit.answers import loss
from starter_kit.examples import Examples, split_into_batches
from starter_kit.training import Recipe, Report, optimizer_of, schedule_of, seed_everything, silent

WARM_UP = 3
"""Steps before one is recorded: libraries initialise themselves in the first ones."""


def train_fused(
    network: Callable[[], nn.Module],
    examples: Examples,
    recipe: Recipe,
    seeds: Sequence[int],
    report: Report = silent,
) -> FusedNetwork:
    """Train one model per seed, all at once. Model k is what `training.train` makes after seeding with ``seeds[k]``.

    Args:
        network: makes a freshly initialised network from torch's global generator.
        examples: the training set, on the device to train on.
        recipe: how to train.
        seeds: K >= 1 seeds.
        report: told the share that is done after each epoch.

    Raises:
        CannotFuseError: the architecture cannot be advanced for many models at once.
        torch.OutOfMemoryError: K is too large for the device.
    """
    networks, generators = [], []
    for seed in seeds:
        seed_everything(seed)
        networks.append(network())
        # Training continues with the generator that the weights were drawn from.
        generators.append(torch.Generator().set_state(torch.get_rng_state()))
    device = examples.targets.device
    fused = FusedNetwork(networks, examples.inputs[:2].cpu()).to(device).train()
    del networks

    optimizer = optimizer_of(recipe, fused.parameters())
    schedule = schedule_of(recipe, optimizer)

    weights = recipe.weights_for(fused)

    def step(rows: Tensor) -> None:
        """One step of every model on its own rows of an epoch, [B, K, ...] of them."""
        inputs, targets = recipe.batch(examples, rows.flatten(0, 1))
        optimizer.zero_grad()
        logits = fused(inputs.unflatten(0, rows.shape[:2]))
        loss(logits.flatten(0, 1), targets, weights, models=fused.models).backward()
        optimizer.step()

    advance = advance_with_graphs if device.type == "cuda" else advance_one_by_one
    with _stream_of_its_own(device):
        for epoch in range(recipe.epochs):
            epochs = [recipe.epoch(len(examples), generator) for generator in generators]
            advance(step, split_into_batches(torch.stack(epochs, dim=1).to(device), recipe.batch_size))
            schedule.step()
            report((epoch + 1) / recipe.epochs)
    return fused


@contextmanager
def _stream_of_its_own(device: torch.device) -> Iterator[None]:
    """On a GPU a second stream, because steps cannot be recorded on the default one; elsewhere nothing."""
    if device.type != "cuda":
        yield
        return
    default, own = torch.cuda.current_stream(device), torch.cuda.Stream(device)
    own.wait_stream(default)
    with torch.cuda.stream(own):
        yield
    default.wait_stream(own)


def advance_one_by_one(step: Callable[[Tensor], None], batches: Sequence[Tensor]) -> None:
    """An epoch, launched step by step."""
    for index in batches:
        step(index)


def capture(step: Callable[[Tensor], None], index: Tensor) -> Callable[[], None]:
    """A function that launches a whole step on ``index``, recorded once on the GPU, in one call."""
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, stream=torch.cuda.current_stream()):
        step(index)
    return graph.replay


def advance_with_graphs(step: Callable[[Tensor], None], batches: Sequence[Tensor], capture: Callable = capture) -> None:
    """An epoch on a GPU: a few plain steps, then one recorded step replayed for all batches of its size.

    Each epoch records anew, because the learning rate is part of the record.
    """
    whole = [index for index in batches if len(index) == len(batches[0])]
    first, replayed, rest = batches[:WARM_UP], whole[WARM_UP:], batches[max(WARM_UP, len(whole)) :]
    advance_one_by_one(step, first)
    if replayed:
        index = replayed[0].clone()
        try:
            replay = capture(step, index)
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:
            warnings.warn(f"launching steps one by one, because none could be recorded: {error}", stacklevel=2)
            advance_one_by_one(step, replayed)
        else:
            for batch in replayed:
                index.copy_(batch)
                replay()
            if index.is_cuda:
                # The record and its memory are freed when this function returns.
                torch.cuda.synchronize(index.device)
    advance_one_by_one(step, rest)


def answer_of_all(fused: FusedNetwork) -> Answer:
    """What the K models answer in evaluation mode, all to the same inputs."""
    fused.eval()
    return lambda inputs: fused(inputs.unsqueeze(1).expand(-1, fused.models, *inputs.shape[1:]))
