"""What options describe together: seeds, a backend, and the pools of each seed."""

from pathlib import Path
from typing import TYPE_CHECKING

from scoring.cli.console import messages
from scoring.cli.options import NO_BANK
from scoring.cli.values import BadOption
from starter_kit.errors import InputError, quoted

if TYPE_CHECKING:
    from scoring.running.backends import Backend
    from scoring.running.pools import Pools

NO_BANK_SAYS = f"BANK={NO_BANK} trains them here."


def seeds_of(seed: int, seeds: tuple[int, ...] | None) -> tuple[int, ...]:
    """The seeds to run, from the two options that say so.

    Raises:
        BadOption: both were given.
    """
    if seeds and seed:
        raise BadOption(f"expected SEED or SEEDS, found both: {seed} and {','.join(map(str, seeds))}")
    return seeds or (seed,)


def backend_of(backend: str, sandbox: str = "", address: str = "", share: float | None = None) -> "Backend":
    """The backend that the options describe."""
    from scoring.running import backends

    return backends.load(backend, backends.Options(sandbox, address, share))


def pools_of(
    task: str,
    data: Path | None,
    model: str | None,
    device: str,
    seeds: tuple[int, ...],
    store: Path,
    workers: int | None,
    rows_by: "Backend",
    limit: float | None = None,
    forget: int | None = None,
) -> "list[Pools]":
    """The pools that the options describe, one per seed."""
    from scoring.jobs.setting import Setting
    from scoring.running.pools import Pools
    from scoring.running.progress import Progress
    from starter_kit import tasks

    loaded = tasks.load(task, data, model)
    asked = loaded if forget is None else loaded.asking_for(forget)
    device = rows_by.machines.device(device)
    how = store, rows_by, workers, Progress(messages), limit
    return [Pools(Setting(asked, device, seed), *how) for seed in seeds]


def with_banks(pools: "list[Pools]", bank: str | None, models: int) -> "list[Pools]":
    """The same pools, with banks instead of what would be trained.

    Args:
        pools: one per seed.
        bank: what a person gave: the path of one, ``NO_BANK``, or nothing.
        models: how many models are to be scored.

    Raises:
        InputError: the bank cannot be read, is damaged, or does not fit.
    """
    return pools if bank == NO_BANK else [_with_bank(one, bank, len(pools), models) for one in pools]


def _with_bank(pools: "Pools", path: str | None, seeds: int, models: int) -> "Pools":
    """Pools with the bank that a person named, or with the kit's own, if that fits and no original is stored."""
    from scoring.banks import fitting

    task, seed = pools.task, pools.setting.seed
    if path is not None:
        if seeds > 1:
            raise InputError("A bank holds a single original model, so use one SEED=, not several SEEDS=.")
        return pools.from_bank(fitting.given(Path(path), task, seed, models), quoted(Path(path).name), NO_BANK_SAYS)
    if pools.stored_original:
        return pools
    bank = fitting.own(task, seed, models)
    return pools.from_bank(bank, "the kit's bank", NO_BANK_SAYS) if bank else pools
