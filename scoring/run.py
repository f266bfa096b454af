"""The whole flow, top to bottom: from a submission to its score, with a floor and a ceiling beside it."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from scoring.judging.audit import audit_epsilon
from scoring.judging.by_models import QuickLook, score_by_models
from scoring.judging.ceiling import Ceiling, models_needed
from scoring.judging.certificate import Certificate
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
from starter_kit.errors import InputError, quoted


@dataclass(frozen=True, eq=False)
class Judged:
    """A pool and its score against the retrained one."""

    outputs: Outputs
    score: Score


@dataclass(frozen=True, eq=False)
class Reference:
    """What the submissions of one learner are compared with.

    Attributes:
        pools: what made them: task, learner, device, seed.
        retrained: models that never saw the forget set. Forgetting is compared with these.
        accuracy: retrained models of the task's own recipe. Accuracy is compared with these.
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
        reference: what they were compared with.
        spread: how far chance moves the score; None if the models are too few to say, or too few of them get anything
            right.
        quick_looks: what fewer of these models would have scored.
        judged: what other judges say, by name.
        audit: [F] lower bounds on epsilon, each at 95% confidence.
        proved: a lower bound on the largest epsilon, at 95% confidence over all forget examples together.
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
    pools.progress.expect(plan([pools], [submission], models))
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


def prepare(pools: Pools, models: int) -> Reference:
    """Make, or find, everything that submissions are compared with.

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
                f"The retrained models of {pools.task.name} have zero accuracy on the {name} set, so there is no ratio "
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
    spread: Spread | None = None
    quick_looks: tuple[QuickLook, ...] = ()
    # Some retrained models have learned, but perhaps none of a half, or of the few that a quick look takes.
    with suppress(NothingLearned):
        spread = spread_of(unlearned, *against, value=scored.value) if len(unlearned) >= FEWEST_MODELS else None
    with suppress(NothingLearned):
        quick_looks = score_by_models(unlearned, *against)
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
