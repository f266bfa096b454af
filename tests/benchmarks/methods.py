"""``make methods``: every method with published and with tuned constants on digits, and with published ones on faces.

What is stored is not made again, so you can stop and start it again at any moment. With ``tune`` it only searches.
"""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from scoring.cli.console import messages
from scoring.cli.options import backend_of, pools_of
from scoring.reports import agreement, ranking, tuning
from scoring.reports.files import folder_of
from scoring.running.progress import Progress
from scoring.tuning import search
from starter_kit.contract import brings_learning, reads_text
from starter_kit.errors import SubmissionError
from tests.benchmarks.record import RESULTS, circumstances
from tests.benchmarks.variants import ROOT, SUBMISSIONS, VARIANTS

REPORTS, STORE = ROOT / "out/reports", ROOT / "out/store"
PAGES = ROOT / "README.md", SUBMISSIONS / "README.md"
TRIALS = 20

DIGITS = ("digits", 512, (0, 1, 2))
FACES = ("faces:600", 32, (0,))


def methods() -> list[Path]:
    """The submissions that run on pictures and do not bring their own learning."""
    every = sorted(SUBMISSIONS.glob("[!_]*.py"))
    return [path for path in every if not brings_learning(path) and not reads_text(path.read_text())]


def searched(path: Path, task: str) -> search.Tuning | None:
    """What a search for better constants finds; None if the file has none, or does not suit the task."""
    (pools,) = pools_of(task, None, None, "cpu", (search.TUNING_SEED,), STORE, None, backend_of("processes"))
    progress = Progress(messages)
    progress.say(f"Tuning {path.stem}")
    try:
        found = search.search(path, pools, TRIALS, lambda trial: progress.say(tuning.line(trial)))
    except SubmissionError as error:
        progress.say(str(error))
        return None
    tuning.write(found, folder_of(REPORTS, task, search.TUNING_SEED, search.MODELS, path.stem))
    return found


def tuned(found: Sequence[search.Tuning], task: str) -> list[Path]:
    """Submissions with the best constants, and a file that says which these are."""
    places, constants = [], {}
    for one in found:
        if one.best:
            places.append(VARIANTS / f"{one.submission.name}{tuning.SUFFIX}.py")
            tuning.write_tuned(one, one.best.values, task, places[-1])
            constants[one.submission.name] = one.best.values
    facts = {"task": task, "seed": search.TUNING_SEED, "models": search.MODELS, "trials": TRIALS}
    record = circumstances("optuna") | facts | {"constants": constants}
    (RESULTS / f"tuned-{task}.json").write_text(json.dumps(record, indent=2) + "\n")
    return places


def compare(files: Sequence[Path], task: str, models: int, seeds: Sequence[int]) -> None:
    """Compare submissions on a task. A failure of one of them is part of the result."""
    options = {"--task": task, "--models": models, "--seeds": ",".join(map(str, seeds))}
    arguments = [str(part) for pair in options.items() for part in pair]
    subprocess.run([sys.executable, "-m", "scoring", "compare", *map(str, files), *arguments], cwd=ROOT, check=False)


if __name__ == "__main__":
    found = [one for path in methods() if (one := searched(path, DIGITS[0]))]
    with_best = tuned(found, DIGITS[0])
    if "tune" not in sys.argv[1:]:
        compare([*methods(), *with_best], *DIGITS)
        compare(methods(), *FACES)
        for page in PAGES:
            page.write_text(agreement.with_tables(ranking.with_tables(page.read_text(), REPORTS), REPORTS))
