"""The search: Optuna proposes constants, and each trial is scored with few models on a seed reserved for tuning.

To resume, a search starts over: the sampler is seeded and scores are deterministic, so it proposes the same constants
again, finds the models of finished trials in the store, and continues where it stopped.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from scoring.judging.score import score
from scoring.judging.time import BUDGET, ratio_of
from scoring.run import Reference, prepare
from scoring.running.pools import Pools
from scoring.tuning.constants import Constant, Number, constants_of, with_constants
from scoring.untrusted.submission import Submission, read
from starter_kit.errors import InputError, SubmissionError, quoted
from starter_kit.extras import how_to_install

if TYPE_CHECKING:
    import optuna

TUNING_SEED = 1000
"""The seed of the original, the pools and the runs that constants are tuned on. No score that counts uses it."""

MODELS = 32
"""Models per pool of a trial."""

STAGES = (2, 8, MODELS)
"""After how many models a trial may be stopped: the first ones show whether it keeps to the time budget."""

OF_FAILURE = -1e9
"""The objective of a failed trial. That of a trial over the time budget is minus its time, which is always higher."""

Outcome = Literal["scored", "stopped early", "too slow", "failed"]


@dataclass(frozen=True)
class Trial:
    """One choice of constants, and what came of it.

    Attributes:
        number: from 0, which has the file's own constants.
        values: the constants by name.
        outcome: only "scored" has a score; "stopped early" if its first models scored below the median of other trials
            at the same stage.
        score: with ``MODELS`` models.
        time: of a run, over that of retraining; None if it failed.
        reason: why it failed.
    """

    number: int
    values: dict[str, Number]
    outcome: Outcome
    score: float | None = None
    time: float | None = None
    reason: str | None = None


@dataclass(frozen=True)
class Tuning:
    """A finished search.

    Attributes:
        submission: the file.
        constants: what was searched.
        trials: all of them, in order.
        ceiling: what retrained models score against each other, in pools of ``MODELS``.
    """

    submission: Submission
    constants: tuple[Constant, ...]
    trials: tuple[Trial, ...]
    ceiling: float

    @property
    def best(self) -> Trial | None:
        """The trial with the highest score, the first if several share it; None if none scores above 0."""
        scored = [trial for trial in self.trials if trial.score]
        return max(scored, key=lambda trial: trial.score or 0.0, default=None)


def search(path: Path, pools: Pools, trials: int, show: Callable[[Trial], None]) -> Tuning:
    """Search the constants of the submission at ``path``.

    Args:
        path: the file.
        pools: of the tuning seed.
        trials: their number, the one with the file's own constants included.
        show: called with each trial when it ends.

    Raises:
        SubmissionError: it has no constants to tune, or fails with its own.
        InputError: Optuna is not installed, the task has no retrained models, or the submission learns by itself.
        MachineError: this machine failed.
    """
    try:
        import optuna
    except ModuleNotFoundError as error:
        raise InputError(f"Tuning needs Optuna. {how_to_install('optuna')}") from error
    submission = read(path)
    if submission.learns:
        raise InputError(
            f"{quoted(path)} brings its own learning, and a search tries constants on a single original model. Change "
            "them by hand, and compare with `make score`."
        )
    constants = constants_of(submission)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(
        direction="maximize",
        sampler=optuna.samplers.TPESampler(seed=0),
        # It stops a trial if half of the others were better at the same stage.
        pruner=optuna.pruners.MedianPruner(n_startup_trials=8),
    )
    study.enqueue_trial({constant.name: constant.value for constant in constants})
    reference = prepare(pools.of(submission), MODELS)
    # Each trial is shown in a line, which the progress of its pools would bury.
    reference = replace(reference, pools=replace(reference.pools, progress=pools.progress.quiet))
    found = []
    with pools.progress.pool("trials", trials, 0, "trials") as finished:
        for number in range(trials):
            proposed = study.ask()
            values = {constant.name: constant.rounded(_suggested(proposed, constant)) for constant in constants}
            trial = _tried(with_constants(submission, values), values, proposed, reference)
            found.append(trial)
            show(trial)
            finished(number + 1)
            if trial.outcome == "stopped early":
                study.tell(proposed, state=optuna.trial.TrialState.PRUNED)
            else:
                study.tell(proposed, _worth(trial))
    return Tuning(submission, constants, tuple(found), reference.ceiling.value)


def _suggested(proposed: "optuna.Trial", constant: Constant) -> Number:
    """The value that Optuna proposes for a constant."""
    if constant.whole:
        return proposed.suggest_int(constant.name, int(constant.low), int(constant.high), log=constant.log)
    return proposed.suggest_float(constant.name, constant.low, constant.high, log=constant.log)


def _tried(submission: Submission, values: dict[str, Number], proposed: "optuna.Trial", reference: Reference) -> Trial:
    """Run a choice of constants, stage by stage."""
    number = proposed.number
    for models in STAGES:
        try:
            outputs = reference.pools.unlearned(submission, models).outputs
        except SubmissionError as error:
            if number == 0:
                raise
            return Trial(number, values, "failed", reason=str(error))
        ratio = ratio_of(outputs)
        time = ratio.value if ratio else None
        if ratio and (ratio.verdict == "over" or (models == MODELS and ratio.value > BUDGET)):
            return Trial(number, values, "too slow", time=time)
        against = (pool.take(slice(models)) for pool in (reference.retrained, reference.accuracy))
        value = score(outputs, *against).value
        proposed.report(value, models)
        if models < MODELS and proposed.should_prune():
            return Trial(number, values, "stopped early", time=time)
    return Trial(number, values, "scored", score=value, time=time)


def _worth(trial: Trial) -> float:
    """What Optuna is to maximise: the score; for a trial over the budget minus its time, which is below all scores."""
    if trial.score is not None:
        return trial.score
    return OF_FAILURE if trial.time is None else -trial.time
