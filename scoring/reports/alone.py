"""The report of a submission on a task that allows no retrained models: accuracies instead of a score."""

from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field
from rich.table import Table
from rich.text import Text

from scoring.jobs.probing import RELEARNED, RELEARNING_STEPS
from scoring.judging.outputs import Outputs
from scoring.reports.place import write_together
from scoring.run import Alone
from starter_kit.errors import quoted
from starter_kit.task import SETS

SCHEMA_VERSION: Literal[1] = 1

FILES = ("alone.json", "unlearned.npz", "original.npz")
"""What a report consists of."""


class AloneReport(BaseModel):
    """The record: the content of alone.json. Accuracies are by set, or by step of relearning."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    schema_version: Literal[1] = SCHEMA_VERSION
    submission: str
    submission_sha256: str
    task: str
    task_sha256: str = Field(description="Of the task's examples and recipe.")
    why_no_score: str = Field(description="Why epsilon is undefined, and there is no score.")
    models: int = Field(description="Runs of the submission.")
    seed: int
    isolated: bool = Field(description="Whether the submission ran in processes apart from the one that judges.")
    host: dict[str, str] = Field(description="The machine and the versions that computed the result.")
    chance: float = Field(description="The accuracy of guessing: one over the number of classes.")
    before: dict[str, float] = Field(description="Accuracies of the original model.")
    after: dict[str, float] = Field(description="Mean accuracies of the unlearned models.")
    deviation: dict[str, float] = Field(description="Standard deviations of the unlearned models' accuracies.")
    relearned_before: dict[int, float] = Field(description="Forget accuracy of the original model by step.")
    relearned_after: dict[int, float] = Field(description="Mean forget accuracy of the unlearned models by step.")
    seconds: float = Field(description="Mean seconds of a run.")


def record_of(result: Alone) -> AloneReport:
    """The record of a result."""
    setting = result.pools.setting
    task = setting.task
    classes = 1 + max(int(examples.targets.max()) for examples in task.sets.values())
    after = {name: getattr(result.after, f"{name}_accuracy") for name in SETS}
    return AloneReport(
        submission=result.submission.name,
        submission_sha256=result.submission.sha256,
        task=task.name,
        task_sha256=setting.key["task"],
        why_no_score=f"Epsilon is undefined, because there are no retrained models: {task.why_no_retrained}.",
        models=len(result.after),
        seed=setting.seed,
        isolated=result.pools.backend.isolates,
        host=result.pools.kind,
        chance=1 / classes,
        before={name: float(getattr(result.before, f"{name}_accuracy").mean()) for name in SETS},
        after={name: float(values.mean()) for name, values in after.items()},
        deviation={name: float(values.std(ddof=1)) for name, values in after.items()},
        relearned_before=_relearned(result.before),
        relearned_after=_relearned(result.after),
        seconds=float(result.after.seconds.mean()),
    )


def _relearned(outputs: Outputs) -> dict[int, float]:
    """The mean accuracy by step; empty if the task has nothing to relearn."""
    found = outputs.probes.get(RELEARNED)
    return {} if found is None else dict(zip(RELEARNING_STEPS, map(float, np.mean(found, axis=0)), strict=True))


def write(result: Alone, record: AloneReport, folder: Path) -> None:
    """Put the record and the outputs into ``folder``, all or none.

    Raises:
        MachineError: the folder cannot be created or written.
    """
    contents = [record.model_dump_json(indent=2).encode(), result.after.to_bytes(), result.before.to_bytes()]
    write_together(folder, dict(zip(FILES, contents, strict=True)))


def table(record: AloneReport) -> Table:
    """Accuracies before and after, and how they change while the forget set is learned again."""
    made = Table(title=Text(f"{quoted(record.submission)} on {quoted(record.task)}, {record.models} models"))
    for number, heading in enumerate(("accuracy", "original", "unlearned", "guessing")):
        made.add_column(Text(heading), justify="right" if number else "left", style="bold" if number == 2 else "")
    for name in SETS:
        spread = f"{record.after[name]:.4f} ± {record.deviation[name]:.4f}"
        made.add_row(name, f"{record.before[name]:.4f}", spread, f"{record.chance:.4f}")
    made.add_section()
    for step, before in record.relearned_before.items():
        label = f"forget, {step} steps of relearning"
        made.add_row(label, f"{before:.4f}", f"{record.relearned_after[step]:.4f}", f"{record.chance:.4f}")
    made.caption = Text(f"{record.why_no_score}\n± is the standard deviation over models.")
    return made
