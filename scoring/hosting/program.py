"""The scoring program of a competition on Codabench: ``python -m scoring.hosting.program INPUT OUTPUT``.

Codabench unpacks a submission into ``INPUT/res`` and the reference data into ``INPUT/ref``, and takes what is written
to OUTPUT: scores.json for the leaderboard, detailed_results.html for the participant. If a submission gets no score,
the page and stderr say why, and the exit code is 1. If the program itself fails, the exit code is 2.
"""

import json
import shutil
import sys
import tempfile
import traceback
from contextlib import suppress
from pathlib import Path

from pydantic import ValidationError
from rich.console import Console

from scoring import run
from scoring.banks import fitting
from scoring.hosting.plan import Settings
from scoring.jobs.setting import Setting
from scoring.judging.outputs import Outputs
from scoring.judging.time import BUDGET, exceeds, ratio_of
from scoring.reports.failure import FAILURE, Failure
from scoring.reports.page.render import render
from scoring.reports.page.report import page_of
from scoring.reports.record import Report
from scoring.reports.recording import record_of
from scoring.reports.reproduce import score_again
from scoring.run import Result
from scoring.running import backends
from scoring.running.pools import Pools
from scoring.running.progress import Progress
from scoring.untrusted import confinement
from starter_kit import tasks
from starter_kit.contract import brings_learning
from starter_kit.errors import InputError, KitError, MachineError, SubmissionError

SCORES, PAGE, REPORT = "scores.json", "detailed_results.html", "report.json"
OTHERS = ("metadata", "metadata.yaml", "__MACOSX")
"""What Codabench and people's computers put beside a submission."""


def main(given: Path, output: Path) -> int:
    """Score the submission in ``given`` and write to ``output``. Returns the exit code."""
    output.mkdir(parents=True, exist_ok=True)
    submission = given / "res"
    try:
        result = scored(submission, given / "ref")
    except MachineError as error:
        return _refused(output, submission, str(error), "The scoring failed, which is not your fault", 2)
    except KitError as error:
        return _refused(output, submission, str(error), "This submission has no score", 1)
    except Exception:  # A fault of the kit must not look like the participant's.
        traceback.print_exc()
        reason = "The scoring program failed. Its traceback is in the log: send it to the organiser."
        return _refused(output, submission, reason, "The scoring failed, which is not your fault", 2)
    report = for_participants(result)
    ceiling = result.reference.ceiling.epsilon
    page = page_of(report, result.unlearned.outputs, result.reference.retrained, ceiling)
    (output / PAGE).write_text(page, encoding="utf-8")
    (output / REPORT).write_text(report.model_dump_json(indent=2), encoding="utf-8")
    (output / SCORES).write_text(json.dumps(figures(report), indent=2), encoding="utf-8")
    print(f"Score: {report.unlearned.score.value:.4f}")
    return 0


def scored(submission: Path, reference: Path) -> Result:
    """The result of what a participant submitted.

    Args:
        submission: the folder with what was in their zip.
        reference: the folder with the reference data.

    Raises:
        SubmissionError, InputError: the participant is at fault.
        MachineError: the organiser is.
    """
    with tempfile.TemporaryDirectory(prefix="store-") as store:
        settings, pools = _pools(reference, Path(store))
        place = _only_folder(submission)
        if settings.accepts == "checkpoints":
            _remove_others(place)
            return run.run_checkpoints(place, pools, settings.models)
        path = _only_file(place)
        if brings_learning(path):
            raise SubmissionError(
                f"{path.name} brings its own learning. This competition fixes how models are trained."
            )
        (result,) = run.run_on_seeds(path, [pools], settings.models)
        _check_time(result.unlearned.outputs)
        return result


def for_participants(result: Result) -> Report:
    """The record of a result, without the seed: whoever knows it can make the reference."""
    report = record_of(result)
    run = report.run.model_copy(update={"seed": None, "command": score_again(result, with_seed=False)})
    return report.model_copy(update={"run": run})


def figures(report: Report) -> dict[str, float]:
    """What the leaderboard shows, by the keys of its columns."""
    unlearned, score = report.unlearned, report.unlearned.score
    shown = {
        "score": score.value,
        "forgetting_quality": score.forgetting_quality,
        "retain_accuracy": unlearned.accuracy.retain,
        "test_accuracy": unlearned.accuracy.test,
        "epsilon": unlearned.epsilon.median,
    }
    return shown | ({} if report.time.ratio is None else {"time": report.time.ratio})


def _pools(reference: Path, store: Path) -> tuple[Settings, Pools]:
    """The competition's settings, and its pools with the bank instead of all training."""
    try:
        settings = Settings.model_validate_json((reference / "settings.json").read_bytes())
        data = reference / "data"
        task = tasks.load(settings.task, data if data.is_dir() else None)
        task = task if settings.forget is None else task.asking_for(settings.forget)
        bank = fitting.given(reference / "bank.zip", task, settings.seed, settings.models)
    except (OSError, ValidationError, KitError) as error:
        raise MachineError(f"The reference data of this competition cannot be used: {error}") from error
    pools = Pools(Setting(task, "cpu", settings.seed), store, _backend(settings), None, Progress(Console(stderr=True)))
    return settings, pools.from_bank(bank, "the organiser's bank")


def _backend(settings: Settings) -> backends.Backend:
    """The backend that runs code of strangers, with the strongest walls that there are."""
    try:
        return backends.load("processes", backends.Options(sandbox="bwrap"))
    except InputError as error:
        # In most containers bubblewrap does not work, but Landlock does.
        if settings.accepts == "code" and not confinement.version():
            raise MachineError(
                f"This machine cannot isolate submissions: {error} Its kernel has no Landlock either. Use another "
                "machine, or accept checkpoints instead of code."
            ) from error
    return backends.load("processes")


def _only_folder(folder: Path) -> Path:
    """The folder itself, or the only folder in it, if it holds nothing else."""
    inside = _entries(folder)
    return inside[0] if len(inside) == 1 and inside[0].is_dir() else folder


def _only_file(folder: Path) -> Path:
    """The file with the submission's code."""
    files = [path for path in _entries(folder) if path.suffix == ".py" and path.is_file()]
    if len(files) == 1:
        return files[0]
    names = [path.name for path in _entries(folder)]
    found = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    raise SubmissionError(
        f"Expected one Python file, with a function unlearning(net, retain, forget, val); found {found or 'nothing'}. "
        "This competition takes code and no models, because a model does not show how it was made."
    )


def _entries(folder: Path) -> list[Path]:
    """What a participant submitted. A link could lead to the reference, and is nothing that a zip needs."""
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if not (_is_other(path) or path.is_symlink()))


def _is_other(path: Path) -> bool:
    return path.name in OTHERS or path.name.startswith(".")


def _remove_others(folder: Path) -> None:
    """Remove what is no checkpoint and nobody meant to submit: beside checkpoints no other file is accepted."""
    for path in filter(_is_other, folder.iterdir()):
        with suppress(OSError):
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


def _check_time(outputs: Outputs) -> None:
    """Refuse a submission that takes longer than the competition allows."""
    ratio = ratio_of(outputs)
    if ratio and exceeds(outputs):
        raise SubmissionError(
            f"It took {100 * ratio.value:.0f}% of the time that retraining takes. At most "
            f"{100 * BUDGET:.0f}% is allowed."
        )


def _refused(output: Path, submission: Path, reason: str, headline: str, code: int) -> int:
    """Tell the participant and the leaderboard why there is no score."""
    reason = reason.replace(f"{submission}/", "").replace(str(submission), "the submission")
    path = next((path for path in _entries(_only_folder(submission)) if path.suffix == ".py"), None)
    name = path.stem if path else "submission"
    (output / PAGE).write_text(render("failure.html.jinja", headline=headline, reason=reason), encoding="utf-8")
    (output / FAILURE).write_text(Failure(submission=name, reason=reason).model_dump_json(indent=2), encoding="utf-8")
    print(f"{headline}.\n{reason}", file=sys.stderr)
    return code


if __name__ == "__main__":
    # The names of the original folders would say nothing to a participant.
    sys.exit(main(*map(Path, sys.argv[1:3])))
