"""The whole flow, top to bottom: from a submission to its score, with a floor and a ceiling beside it."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from scoring.judging.audit import audit_epsilon
from scoring.judging.by_models import QuickLook, score_by_models
from scoring.judging.ceiling import Ceiling, halves, models_needed
from scoring.judging.certificate import Certificate
from scoring.judging.groups import groups
from scoring.judging.interval import FEWEST_MODELS, Spread, spread_of
from scoring.judging.judges import verdicts
from scoring.judging.outputs import Outputs
from scoring.judging.score import DELTA, NothingLearned, Score, score
from scoring.running.plan import plan
from scoring.running.pools import Pools
from scoring.running.promise import Promise, promised
from scoring.running.unlearned import Unlearned
from scoring.untrusted.checkpoints import Checkpoints, find
from scoring.untrusted.submission import Submission, read
from starter_kit.contract import read_source
from starter_kit.errors import InputError, KitError, UnsuitedError, quoted

REFERENCE_ROWS = ("ceiling", "floor")
"""The rows of a comparison that are no submissions."""


@dataclass(frozen=True, eq=False)
class Judged:
    """A pool and its score against the retrained one."""

    outputs: Outputs
    score: Score


@dataclass(frozen=True, eq=False)
class Reference:
    """What the submissions of one learner are held against.

    Attributes:
        pools: what made them: task, learner, device, seed.
        retrained: models that never saw the forget set. Forgetting is held against these.
        accuracy: retrained models of the task's own recipe. Accuracy is held against these.
        ceiling: what retrained models score against each other.
        floor: the original models, untouched; those that a submission learned itself, if it brings its own learning.
    """

    pools: Pools
    retrained: Outputs
    accuracy: Outputs
    ceiling: Ceiling
    floor: Judged


@dataclass(frozen=True, eq=False)
class Result:
    """The score of a submission, or of checkpoints that one left elsewhere, with everything that a report needs.

    Attributes:
        submission: what was judged.
        unlearned: its models.
        reference: what they were held against.
        spread: how far chance moves the score; None if the models are too few to say, or too few of them get anything
            right.
        quick_looks: what fewer of these models would have scored.
        judged: what other judges say, by name.
        audit: [F] lower bounds on epsilon, each at 95 % confidence.
        proved: a lower bound on the largest epsilon, at 95 % confidence over all forget examples together.
        made: how the models were made and what their runs said; None for checkpoints.
        promise: a guarantee that they carry.
        certificate: of exact unlearning, if `make certify` has run.
    """

    submission: Submission | Checkpoints
    unlearned: Judged
    reference: Reference
    spread: Spread | None
    quick_looks: tuple[QuickLook, ...]
    judged: dict[str, float | None]
    audit: NDArray[np.float64]
    proved: float
    made: Unlearned | None = None
    promise: Promise | None = None
    certificate: Certificate | None = None


@dataclass(frozen=True, eq=False)
class Alone:
    """A submission's models on a task that allows no retrained ones, so that there is nothing to score them against.

    Attributes:
        submission: what was run.
        pools: what made the models.
        before: the original model.
        after: the unlearned models.
    """

    submission: Submission
    pools: Pools
    before: Outputs
    after: Outputs


@dataclass(frozen=True, eq=False)
class Comparison:
    """The results of several submissions.

    Attributes:
        reference: the pools that all are held against.
        ranked: the results, best score first.
        groups: the group of each of them, by name: none can be told apart from the first of its group. None if the
            models are too few.
        failed: the errors of the other submissions, by their paths.
        unsuited: what those say that do not work on this task.
        judged: what other judges say of "ceiling" (half of the retrained models against the other half) and "floor".
    """

    reference: Reference
    ranked: list[Result]
    groups: dict[str, int] | None
    failed: dict[Path, KitError]
    unsuited: dict[Path, UnsuitedError]
    judged: dict[str, dict[str, float | None]]


def run(path: Path, pools: Pools, models: int) -> Result:
    """Score the submission at ``path``, which is read and checked before anything is trained.

    Raises:
        SubmissionError: the submission is at fault. What was finished before stays in the store.
        MachineError: this machine failed.
    """
    (result,) = run_on_seeds(path, [pools], models)
    return result


def run_on_seeds(path: Path, seeds: Sequence[Pools], models: int) -> Iterator[Result]:
    """Score the submission at ``path`` on each seed in turn.

    Raises:
        SubmissionError, MachineError: as for ``run``.
    """
    submission = read(path)
    of_seeds = [pools.of(submission) for pools in seeds]
    first = of_seeds[0]
    if first.backend.isolates:
        # A mistake shows before the long work. Without isolation that work comes first: no model may be made in a
        # process that a submission has run in.
        if not first.has_run(submission):
            first.execute(submission)
        promised(submission, first.unlearned(submission, 1), len(first.task.forget))
    # Now it is known how long a model takes.
    first.progress.expect(plan(seeds, [submission], models))
    for pools in of_seeds:
        yield judge(submission, prepare(pools, models))


def run_alone(path: Path, pools: Pools, models: int) -> Alone:
    """Run the submission at ``path`` on a task that allows no retrained models.

    Raises:
        InputError: the submission brings its own learning.
        SubmissionError: the submission is at fault. What was finished before stays in the store.
        MachineError: this machine failed.
    """
    submission = read(path)
    if submission.learns:
        raise InputError(
            f"{quoted(path)} brings its own learning, but the models of {pools.task.name} come trained. Name a "
            "submission that unlearns only."
        )
    if pools.backend.isolates and not pools.has_run(submission):
        pools.execute(submission)
    before = pools.originals(1)
    return Alone(submission, pools, before, pools.unlearned(submission, models).outputs)


def certify(path: Path, pools: Pools) -> Certificate:
    """Whether the submission at ``path``, which brings its own learning, unlearns exactly.

    Raises:
        InputError: it brings no learning.
        SubmissionError: the submission is at fault.
        MachineError: this machine failed.
    """
    submission = read(path)
    if pools.task.why_no_retrained:
        raise InputError(f"{pools.task.name} has no retrained models to compare with: {pools.task.why_no_retrained}.")
    if not submission.learns:
        raise InputError(
            f"{quoted(path)} has no function learning(net, train, val). A certificate is about a learning algorithm "
            "together with its unlearning; see submissions/README.md."
        )
    return pools.of(submission).certificate(submission)


def run_checkpoints(path: Path, pools: Pools, models: int) -> Result:
    """Score models that were made elsewhere: a zip or a folder of ``models`` checkpoints.

    Raises:
        InputError, SubmissionError: they are not what they must be; see `untrusted/checkpoints.py`.
        MachineError: this machine failed.
    """
    original = pools.original
    checkpoints = find(path, models, original.weights)
    # As above: a file that cannot be judged shows before the long work.
    unlearned = pools.of_checkpoints(checkpoints, original, models)
    pools.progress.expect(plan([pools], [], models))
    reference = prepare(pools, models)
    return _result(checkpoints, unlearned, reference)


def compare(paths: list[Path], pools: Pools, models: int) -> Comparison:
    """Score the submissions at ``paths`` one after the other. One that fails does not stop the others.

    Raises:
        SubmissionError: one of the files does not exist.
        InputError: two files have the same name, or one has the name of a reference row.
        MachineError: the reference pools could not be made.
    """
    (comparison,) = compare_on_seeds(paths, [pools], models)
    return comparison


def compare_on_seeds(paths: list[Path], seeds: Sequence[Pools], models: int) -> Iterator[Comparison]:
    """Score the submissions at ``paths`` on each seed in turn.

    Raises:
        SubmissionError, InputError, MachineError: as for ``compare``.
    """
    paths = _different_names(paths)
    for path in paths:
        if not path.is_file():
            read_source(path)  # It raises and says which file may have been meant, before hours of work.
    if not seeds[0].task.why_no_retrained:
        # It shows how long a model takes.
        _ = seeds[0].original
        seeds[0].progress.expect(plan(seeds, _readable(paths), models, compared=True))
    for pools in seeds:
        yield _compared(paths, pools, models)


def _readable(paths: Sequence[Path]) -> list[Submission]:
    """The submissions at ``paths`` that can be read. Errors in the others are reported when they are run."""
    found = []
    for path in paths:
        with suppress(KitError):
            found.append(read(path))
    return found


def _compared(paths: list[Path], pools: Pools, models: int) -> Comparison:
    reference = prepare(pools, models)
    results: list[Result] = []
    failed: dict[Path, KitError] = {}
    unsuited: dict[Path, UnsuitedError] = {}
    for path in paths:
        try:
            submission = read(path)
            own = prepare(pools.of(submission), models) if submission.learns else reference
            results.append(judge(submission, own))
        except UnsuitedError as error:
            unsuited[path] = error
        except KitError as error:
            failed[path] = error
    ranked = sorted(results, key=lambda result: -result.unlearned.score.value)
    judged = {
        "ceiling": verdicts(*halves(reference.retrained, 0)),
        "floor": verdicts(reference.floor.outputs, reference.retrained),
    }
    return Comparison(reference, ranked, groups_of(ranked), failed, unsuited, judged)


def groups_of(results: list[Result]) -> dict[str, int] | None:
    """The group of each submission, by name; None if the models are too few to tell any apart."""
    spreads = {result.submission.name: result.spread for result in results if result.spread}
    return groups(spreads) if len(spreads) == len(results) else None


def prepare(pools: Pools, models: int) -> Reference:
    """Make, or find, everything that submissions are held against.

    Raises:
        InputError: the task allows no retrained models, or they learn nothing.
        MachineError: this machine failed.
    """
    if why := pools.task.why_no_retrained:
        raise InputError(
            f"{pools.task.name} has no retrained models to compare with: {why}. Run `make score` for one submission; "
            "it reports accuracies."
        )
    own = pools.setting.own is not None
    # Before the submission's own models: without isolation, its code runs in this process from then on.
    of_task = pools.of_task().retrained(models) if own else None
    pool = pools.retrained(models_needed(models))
    retrained = pool.take(slice(models))
    accuracy = of_task or retrained
    for name in ("retain", "test"):
        if not getattr(accuracy, f"{name}_accuracy").any():
            raise InputError(
                f"The retrained models of {pools.task.name} get nothing right on the {name} set, so there is no ratio "
                "of accuracies and no score. Expected models that learn the task: train longer, or at another rate."
            )
    floor = pools.originals(models)
    return Reference(
        pools=pools,
        retrained=retrained,
        accuracy=accuracy,
        ceiling=pools.ceiling(pool, of_task),
        floor=Judged(floor, score(floor, retrained, of_task)),
    )


def judge(submission: Submission, reference: Reference) -> Result:
    """Run the submission on as many models as the reference has, and score what comes out.

    Raises:
        SubmissionError: the submission is at fault. What was finished before stays in the store.
        MachineError: this machine failed.
    """
    pools = reference.pools
    made = pools.unlearned(submission, len(reference.retrained))
    result = _result(submission, made.outputs, reference)
    promise = promised(submission, made, len(pools.task.forget), reference.retrained)
    return replace(result, made=made, promise=promise, certificate=pools.stored_certificate(submission))


def _result(submission: Submission | Checkpoints, unlearned: Outputs, reference: Reference) -> Result:
    scored = score(unlearned, reference.retrained, reference.accuracy)
    pools = unlearned.forget_confidence, reference.retrained.forget_confidence
    against = reference.retrained, reference.accuracy
    try:
        enough = len(unlearned) >= FEWEST_MODELS
        spread = spread_of(unlearned, *against, value=scored.value) if enough else None
        quick_looks = score_by_models(unlearned, *against)
    except NothingLearned:
        # Some of the retrained models do, but not in every half.
        spread, quick_looks = None, ()
    return Result(
        submission=submission,
        unlearned=Judged(unlearned, scored),
        reference=reference,
        spread=spread,
        quick_looks=quick_looks,
        judged=verdicts(unlearned, reference.retrained),
        audit=audit_epsilon(*pools, delta=DELTA),
        proved=float(audit_epsilon(*pools, delta=DELTA, simultaneous=True).max()),
    )


def _different_names(paths: list[Path]) -> list[Path]:
    """The paths without repetitions, if each row of the table will have a name of its own."""
    files = {path.resolve(): path for path in paths}
    by_name: dict[str, Path] = {}
    for path in files.values():
        if path.stem in REFERENCE_ROWS:
            raise InputError(f"{path} has the name of a reference row of the table. Rename it to compare it.")
        if path.stem in by_name:
            raise InputError(f"{by_name[path.stem]} and {path} have the same name. Rename one of them to compare them.")
        by_name[path.stem] = path
    return list(files.values())
