"""Train many models at once."""

from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor, nn

from scoring.learners import Answer
from scoring.learners.fused.layers import CannotFuseError
from scoring.learners.fused.network import FusedNetwork
from scoring.learners.fused.recording import RecordedSteps, gpu_for_training
from scoring.learners.fused.stacked import StackedNetwork
from starter_kit.answers import loss
from starter_kit.examples import Examples, split_into_batches
from starter_kit.training import Recipe, Report, optimizer_of, schedule_of, seed_everything, silent


def fuse(networks: Sequence[nn.Module], inputs: Tensor) -> FusedNetwork | StackedNetwork:
    """K networks as one, in the faster way if that can be.

    Args:
        networks: K >= 1 networks of one architecture.
        inputs: [n >= 1, ...] examples of their inputs, on the CPU.

    Raises:
        CannotFuseError: neither way is possible.
    """
    try:
        return FusedNetwork(networks, inputs)
    except CannotFuseError as reason:
        try:
            return StackedNetwork(networks, inputs)
        except CannotFuseError as other:
            raise CannotFuseError(f"{reason}, and cannot be mapped: {other}") from None


def train_fused(
    network: Callable[[], nn.Module],
    examples: Examples,
    recipe: Recipe,
    seeds: Sequence[int],
    report: Report = silent,
    record: bool = True,
) -> FusedNetwork | StackedNetwork:
    """Train one model per seed, all at once. Model k is what `training.train` makes after seeding with ``seeds[k]``.

    Args:
        network: makes a freshly initialised network from torch's global generator.
        examples: the training set, on the device to train on.
        recipe: how to train.
        seeds: K >= 1 seeds.
        report: told the share that is done after each epoch.
        record: whether steps are recorded, where the device can.

    Raises:
        CannotFuseError: the architecture cannot be advanced for many models at once.
        torch.OutOfMemoryError: K is too large for the device.
        CannotRecordError: a step could not be recorded; this process should end.
    """
    networks, generators = [], []
    for seed in seeds:
        seed_everything(seed)
        networks.append(network())
        # Training continues with the generator that the weights were drawn from.
        generators.append(torch.Generator().set_state(torch.get_rng_state()))
    device = examples.targets.device
    fused = fuse(networks, examples.inputs[:2].cpu()).to(device).train()
    del networks

    optimizer = optimizer_of(recipe, fused.parameters())
    schedule = schedule_of(recipe, optimizer, len(examples))

    weights = recipe.weights_for(fused)

    def step(rows: Tensor) -> None:
        """One step of every model on its own rows of an epoch, [B, K, ...] of them."""
        inputs, targets = recipe.batch(examples, rows.flatten(0, 1))
        optimizer.zero_grad()
        logits = fused(inputs.unflatten(0, rows.shape[:2]))
        loss(logits.flatten(0, 1), targets, weights, models=fused.models).backward()
        optimizer.step()

    on_gpu = device.type == "cuda"
    with gpu_for_training(device):
        advance = RecordedSteps(step) if on_gpu and record else partial(advance_one_by_one, step)
        for epoch in range(recipe.epochs):
            epochs = [recipe.epoch(len(examples), generator) for generator in generators]
            batches = split_into_batches(torch.stack(epochs, dim=1).to(device), recipe.batch_size)
            # A rate that changes by step is set between steps, so each step is a call of its own.
            for some in [[batch] for batch in batches] if recipe.warm_up else [batches]:
                advance(some)
                schedule.step()
            report((epoch + 1) / recipe.epochs)
        if on_gpu:
            # The record and its memory are freed when this function returns.
            torch.cuda.synchronize(device)
    return fused


def advance_one_by_one(step: Callable[[Tensor], None], batches: Sequence[Tensor]) -> None:
    """A step per batch, each launched by itself."""
    for rows in batches:
        step(rows)


def answer_of_all(fused: FusedNetwork | StackedNetwork) -> Answer:
    """What the K models answer in evaluation mode."""
    fused.eval()
    return fused
