"""From a task to a competition: the models that it needs, and where its data lie."""

import inspect
from importlib import import_module
from pathlib import Path

from scoring.bank import bank_of
from scoring.hosting.plan import Accepts, Competition, Settings
from scoring.running.pools import Pools
from starter_kit import tasks


def competition_of(name: str, forget: int | None, pools: Pools, models: int, accepts: Accepts) -> Competition:
    """A competition on a task. Its original and its retrained models are trained, unless they are stored.

    Args:
        name: the task's, as in TASK=.
        forget: as in FORGET=.
        pools: of the task.
        models: how many unlearned models a submission gives.
        accepts: what participants submit.

    Raises:
        InputError: too few models, or the task allows no retrained ones.
        MachineError: this machine failed.
    """
    settings = Settings(task=name, forget=forget, seed=pools.setting.seed, models=models, accepts=accepts)
    return Competition(settings, pools.task, bank_of(pools, models))


def data_of(name: str, data: Path | None) -> Path | None:
    """The folder that a task reads; None if there is none.

    Args:
        name: the task's, as in TASK=.
        data: the folder that a person named.
    """
    if data is not None:
        return data
    module = import_module(f"{tasks.__name__}.{name.partition(':')[0].replace('-', '_')}")
    usual = inspect.signature(module.task).parameters.get("data")
    return usual.default if usual and isinstance(usual.default, Path) and usual.default.is_dir() else None
