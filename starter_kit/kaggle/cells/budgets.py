"""The budgets of time and disk."""

from starter_kit.kaggle.cells.places import OFFICIAL_MODELS, TIME_TO_ZIP, Run  # isort: split

# %% [markdown]
# ## The budgets
# 8 hours and 20 GB, checked before the first model and during the run. A run that cannot end in time stops.


# %%
import shutil


def in_words(seconds: float) -> str:
    """5 h 10 min, 8 h, 12 min, 40 s."""
    minutes, rest = divmod(round(seconds), 60)
    if not minutes:
        return f"{rest} s"
    hours, minutes = divmod(minutes, 60)
    return " ".join([f"{hours} h"] * bool(hours) + [f"{minutes} min"] * bool(minutes or not hours))


def check_time(run: Run, models_began: float, done: int, now: float) -> None:
    """Say how long all 512 models will take by the pace of those that are done; stop if that is too long."""
    a_model = (now - models_began) / done
    began_after = models_began - run.started
    total = began_after + OFFICIAL_MODELS * a_model
    said = f"{OFFICIAL_MODELS} models will take {in_words(total)} of {in_words(run.time_budget)}"
    print(f"{done} models: {said}", flush=True)
    if total + TIME_TO_ZIP <= run.time_budget:
        return
    fits = (run.time_budget - TIME_TO_ZIP - began_after) / OFFICIAL_MODELS
    told = (
        f"Over the time budget: {said}, and {in_words(TIME_TO_ZIP)} are kept for zipping. A model takes "
        f"{a_model:.1f} s, and {fits:.1f} s is what fits."
    )
    if run.rehearsal:
        # This machine is not Kaggle's.
        print(f"{told} Kaggle's GPU may be faster than this machine.", flush=True)
    else:
        raise RuntimeError(f"{told} Make unlearning cheaper: fewer passes, larger batches, half precision.")


def check_disk(run: Run, checkpoint: float, zipped: float | None, missing: int) -> None:
    """Say how much room 512 checkpoints of these bytes will take, and stop if that is too much.

    How far whole weights shrink in the zip is not known before there are some: then `zipped` is None.
    """
    said = f"{OFFICIAL_MODELS} checkpoints will take {OFFICIAL_MODELS * (zipped or checkpoint) / 1e9:.1f} GB"
    budget = f"{run.disk_budget / 1e9:.0f} GB"
    print(f"{said}{' before they are zipped' if zipped is None else ''} of {budget}", flush=True)
    if zipped is not None and OFFICIAL_MODELS * zipped > run.disk_budget:
        raise RuntimeError(
            f"Over the disk budget: {said}, and the working folder holds {budget}. Half precision halves them."
        )
    needed = {run.temporary: missing * checkpoint, run.working: run.models * (zipped or 0.0)}
    if run.temporary.stat().st_dev == run.working.stat().st_dev:
        needed = {run.temporary: sum(needed.values())}
    for folder, size in needed.items():
        free = shutil.disk_usage(folder).free
        if size > free:
            raise RuntimeError(f"{folder} needs {size / 1e9:.1f} GB more for this run and has {free / 1e9:.1f} GB.")
