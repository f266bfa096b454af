"""A result as a person reads it: a table on the terminal, report.json, a picture, the outputs."""

import json
import platform
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.table import Table

from scoring.outputs import Outputs
from scoring.pictures import picture_of
from scoring.run import Judged, Result
from scoring.score import DELTA, OFFICIAL_MODELS, RULES, RULES_VERSION
from scoring.store import write_atomically

TIME_BUDGET = 0.2
"""The share of the time of retraining that the competition allows a method."""

REPORT_SCHEMA = 1

BLOCKS = (
    {"score": "score", "forgetting quality": "forgetting_quality"},
    {f"{name} accuracy": f"{name}_accuracy" for name in ("retain", "forget", "test")},
    {"median epsilon, official": "epsilon_median", "median epsilon, exact": "epsilon_exact_median"},
    {"seconds, one at a time": "seconds"},
)
"""The lines of the table by the names of their figures, block by block."""


def not_comparable(models: int) -> str | None:
    """Why scores from pools of this size cannot be held against the challenge's, if they cannot."""
    if models == OFFICIAL_MODELS:
        return None
    return f"{models} models instead of {OFFICIAL_MODELS}: epsilon, and with it the score, depends on their number"


def notes(result: Result) -> list[str]:
    """What a reader of the submission's score has to know, a sentence each."""
    found = notes_on_answers(result)
    if over_budget(result):
        found.append(
            f"Over the time budget: {time_ratio(result):.2f} of the time of retraining, and the competition "
            f"allows {TIME_BUDGET}."
        )
    return found


def notes_on_answers(result: Result) -> list[str]:
    """Those of them that the models' answers give rise to."""
    outputs, score = result.unlearned.outputs, result.unlearned.score
    untouched = result.reference.floor.outputs
    models, found = len(outputs), []
    distinct = len(np.unique(np.hstack([outputs.forget_confidence, outputs.test_confidence]), axis=0))
    if distinct == 1 and np.allclose(outputs.test_confidence, untouched.test_confidence):
        found.append(
            f"All {models} runs left the model as it was: epsilon is 50 and the score 0. If the function puts another "
            "model in the place of `net`, it has to return it; Kaggle takes `net` itself, so change that."
        )
    elif distinct == 1:
        found.append(
            f"All {models} runs gave the same answers: the method draws no random number or fixes its seed. A "
            "pool without spread is told from the retrained one at once: epsilon is 50 and the score 0."
        )
    elif distinct < models:
        found.append(
            f"Only {distinct} of {models} runs gave answers of their own. Is a seed fixed, or do models "
            "end up with one answer for everything?"
        )
    if score.undecided:
        found.append(
            f"{score.undecided} of {len(score.epsilon)} forget examples had no valid decision rule; they "
            "count as epsilon 50."
        )
    return found


def over_budget(result: Result) -> bool:
    """Whether the competition would not have waited so long for each model."""
    return time_ratio(result) > TIME_BUDGET


def time_ratio(result: Result) -> float:
    """Median seconds of an unlearning run over those of retraining one model at a time; NaN if it was not seen."""
    return float(np.median(result.unlearned.outputs.seconds)) / result.reference.seconds_alone


def figures(judged: Judged) -> dict[str, float]:
    """A pool's figures: its score and what that is made of, mean accuracies, medians of epsilon and, if it was seen
    being made, of seconds.
    """
    found = {
        "score": judged.score.value,
        "forgetting_quality": judged.score.forgetting_quality,
        **accuracies(judged.outputs),
        "epsilon_median": float(np.median(judged.score.epsilon)),
        "epsilon_exact_median": float(np.median(judged.score.epsilon_exact)),
        "seconds": float(np.median(judged.outputs.seconds)),
    }
    return {name: value for name, value in found.items() if not np.isnan(value)}


def accuracies(outputs: Outputs) -> dict[str, float]:
    """The mean accuracies of a pool on the four sets, in [0, 1]."""
    names = ("retain_accuracy", "forget_accuracy", "validation_accuracy", "test_accuracy")
    return {name: float(getattr(outputs, name).mean()) for name in names}


def as_dict(result: Result) -> dict[str, Any]:
    """The content of report.json."""
    retrained, scores = result.reference.retrained, result.unlearned.score
    reason, ratio = not_comparable(len(retrained)), time_ratio(result)
    return {
        "schema_version": REPORT_SCHEMA,
        "rules_version": RULES_VERSION,
        "rules": [family.__name__.rsplit(".", 1)[1] for family in RULES["official"]],
        "delta": DELTA,
        "submission": {"name": result.submission.name, "sha256": result.submission.sha256},
        "task": {"name": result.reference.pools.task.name, "sha256": result.reference.pools.task.digest()},
        "models": len(retrained),
        "comparable": reason is None,
        "not_comparable_because": reason,
        "seed": result.reference.pools.setting.seed,
        **figures(result.unlearned),
        "time_ratio": None if np.isnan(ratio) else ratio,
        "epsilon": scores.epsilon.tolist(),
        "epsilon_exact": scores.epsilon_exact.tolist(),
        "retrained": accuracies(retrained)
        | {"seconds": float(np.median(retrained.seconds)), "seconds_alone": result.reference.seconds_alone},
        "ceiling": figures(result.reference.ceiling),
        "floor": figures(result.reference.floor),
        "notes": notes(result),
        "device": result.reference.pools.setting.device,
        "versions": {
            "python": platform.python_version(),
            "torch": torch.__version__,
            "numpy": np.__version__,
        },
    }


def table(result: Result) -> Table:
    """The terminal table: the submission, the retrained pool it is held against, ceiling and floor."""
    retrained = result.reference.retrained
    columns = {
        result.submission.name: figures(result.unlearned),
        "retrained": accuracies(retrained) | {"seconds": result.reference.seconds_alone},
        "ceiling": figures(result.reference.ceiling),
        "floor": figures(result.reference.floor),
    }
    # Those two are not made one at a time.
    del columns["ceiling"]["seconds"], columns["floor"]["seconds"]
    table = Table(title=f"{result.submission.name} on {result.reference.pools.task.name}, {len(retrained)} models")
    table.add_column("")
    for number, heading in enumerate(columns):
        table.add_column(heading, justify="right", style="bold" if number == 0 else "")
    for block in BLOCKS:
        for label, name in block.items():
            cells = [f"{column[name]:.4f}" if name in column else "" for column in columns.values()]
            table.add_row(label, *cells)
        table.add_section()
    ratio = time_ratio(result)
    table.add_row("of the time of retraining", "" if np.isnan(ratio) else f"{ratio:.2f}", "1")
    return table


def write(result: Result, folder: Path) -> None:
    """Put report.json, report.png and the judged outputs into ``folder``.

    Raises:
        MachineError: the folder cannot be made or written.
    """
    write_atomically(folder / "report.json", json.dumps(as_dict(result), indent=2).encode())
    write_atomically(folder / "report.png", picture_of(result))
    pools = {
        "unlearned": result.unlearned.outputs,
        "retrained": result.reference.retrained,
        "ceiling": result.reference.ceiling.outputs,
    }
    for name, outputs in pools.items():
        write_atomically(folder / f"{name}.npz", outputs.to_bytes())


def judged_table(path: Path, judged: Judged) -> Table:
    """The figures of a pool of which nothing is known but its outputs."""
    found = figures(judged)
    table = Table("", path.stem, title=f"{len(judged.outputs)} models")
    for block in BLOCKS[:-1]:
        for label, name in block.items():
            table.add_row(label, f"{found[name]:.4f}")
        table.add_section()
    return table
