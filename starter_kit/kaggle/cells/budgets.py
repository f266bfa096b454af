"""The budgets of time and disk space."""

from starter_kit.kaggle.cells.places import OFFICIAL_MODELS, TIME_TO_ZIP, Run  # isort: split

# %% [markdown]
# ## The budgets
# 8 hours and 20 GB. Disk space is checked before the first model, and both are checked during the run, which stops as
# soon as it cannot finish within them.


# %%
import shutil


def duration(seconds: float) -> str:
    """A duration as text: 5 h 10 min, 8 h, 12 min, 40 s."""
    minutes, rest = divmod(round(seconds), 60)
    if not minutes:
        return f"{rest} s"
    hours, minutes = divmod(minutes, 60)
    return " ".join([f"{hours} h"] * bool(hours) + [f"{minutes} min"] * bool(minutes or not hours))


def check_time(run: Run, first_began: float, done: int, now: float) -> None:
    """Extrapolate the time of all 512 models from those that are done, and stop if it exceeds the budget."""
    per_model = (now - first_began) / done
    before_models = first_began - run.started
    total = before_models + OFFICIAL_MODELS * per_model
    estimate = f"{OFFICIAL_MODELS} models will take {duration(total)} of {duration(run.time_budget)}"
    print(f"{done} models done: {estimate}", flush=True)
    if total + TIME_TO_ZIP <= run.time_budget:
        return
    affordable = (run.time_budget - TIME_TO_ZIP - before_models) / OFFICIAL_MODELS
    message = (
        f"Over the time budget: {estimate}, of which zipping needs {duration(TIME_TO_ZIP)}. One model takes "
        f"{per_model:.1f} s; at most {affordable:.1f} s would fit."
    )
    if run.rehearsal:
        # This machine's speed says little about Kaggle's.
        print(f"{message} Kaggle's GPU may be faster than this machine.", flush=True)
    else:
        raise RuntimeError(f"{message} Make unlearning cheaper: fewer passes, larger batches, half precision.")


def check_disk(run: Run, checkpoint: float, zipped: float | None, missing: int) -> None:
    """Estimate the disk space of 512 checkpoints, and stop if it exceeds the budget or what is free.

    `checkpoint` and `zipped` are the bytes of one checkpoint, unzipped and zipped, and `missing` is the number of
    checkpoints still to be saved. `zipped` is None as long as it is unknown: single precision shrinks in the zip, but
    how far shows only once there is a checkpoint.
    """
    estimate = f"{OFFICIAL_MODELS} checkpoints will take {OFFICIAL_MODELS * (zipped or checkpoint) / 1e9:.1f} GB"
    budget = f"{run.disk_budget / 1e9:.0f} GB"
    print(f"{estimate}{' before they are zipped' if zipped is None else ''} of {budget}", flush=True)
    if zipped is not None and OFFICIAL_MODELS * zipped > run.disk_budget:
        raise RuntimeError(
            f"Over the disk budget: {estimate}, but the working folder holds {budget}. Half precision halves them."
        )
    needed = {run.temporary: missing * checkpoint, run.working: run.models * (zipped or 0.0)}
    if run.temporary.stat().st_dev == run.working.stat().st_dev:
        needed = {run.temporary: sum(needed.values())}
    for folder, size in needed.items():
        free = shutil.disk_usage(folder).free
        if size > free:
            raise RuntimeError(
                f"Disk full: {folder} needs another {size / 1e9:.1f} GB for this run and has {free / 1e9:.1f} GB free."
            )
