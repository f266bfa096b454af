"""``make bank``: what submissions are compared with on a task, made here to be shared."""

from dataclasses import replace

import numpy as np

from scoring.banks.bank import Bank
from scoring.banks.card import Card
from scoring.judging.interval import FEWEST_MODELS
from scoring.judging.score import RULES_VERSION
from scoring.run import prepare
from scoring.running.pools import Pools
from starter_kit.errors import InputError


def bank_of(pools: Pools, models: int) -> Bank:
    """What submissions are compared with, to be shared; see `banks/`.

    Args:
        pools: of a task's recipe.
        models: retrained ones, at least ``FEWEST_MODELS``.

    Raises:
        InputError: too few models, or the task allows no retrained ones.
        MachineError: this machine failed.
    """
    if models < FEWEST_MODELS:
        raise InputError(f"Expected at least {FEWEST_MODELS} models for a bank, found {models}.")
    reference, setting = prepare(pools, models), pools.setting
    card = Card(
        task=setting.task.name,
        label=setting.task.label,
        task_sha256=setting.task.digest(),
        seed=setting.seed,
        models=models,
        rules=RULES_VERSION,
        reference=pools.identity.reference,
        host=pools.kind,
        licence=setting.task.licence,
        files={},
    )
    # Confidences on the test set do not enter the score. In single precision they take half of the room.
    test = reference.retrained.test_confidence.astype(np.float32).astype(np.float64)
    return Bank(card, pools.original, replace(reference.retrained, test_confidence=test), reference.ceiling)
