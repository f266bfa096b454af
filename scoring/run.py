"""The whole flow, from a submission to its score with a floor and a ceiling beside it."""

from dataclasses import dataclass
from pathlib import Path

from scoring.checkpoints import Checkpoints, find
from scoring.jobs.training import weights_in
from scoring.outputs import Outputs
from scoring.pools import Pools
from scoring.score import Score, score
from scoring.store import Row
from scoring.submission import Submission, read


@dataclass(frozen=True, eq=False)
class Judged:
    """A pool and how it was judged against the retrained one."""

    outputs: Outputs
    score: Score


@dataclass(frozen=True, eq=False)
class Reference:
    """What every submission to a task is held against.

    Attributes:
        pools: what made them: task, device, seed.
        original: the original model's weights and answers.
        retrained: the models that never saw the forget set.
        seconds_alone: what retraining takes one model at a time; the pools are made faster.
        ceiling: a second, independent pool of them, judged as if it were a submission. No method can be
            expected to score higher; that it does not score 1 is the metric's bias.
        floor: the original model, untouched.
    """

    pools: Pools
    original: Row
    retrained: Outputs
    seconds_alone: float
    ceiling: Judged
    floor: Judged


@dataclass(frozen=True, eq=False)
class Result:
    """The score of a submission, or of checkpoints that one left elsewhere, and all that the report says of it."""

    submission: Submission | Checkpoints
    unlearned: Judged
    reference: Reference


def prepare(pools: Pools, original: Row, models: int) -> Reference:
    """Train, or find, what is needed to judge any submission on ``models`` models.

    Raises:
        MachineError: it could not be done on this machine.
    """
    retrained = pools.retrained("retrained", models)
    ceiling = pools.retrained("ceiling", models)
    floor = Outputs.of_rows([original] * models, models)
    return Reference(
        pools=pools,
        original=original,
        retrained=retrained,
        seconds_alone=pools.seconds_alone(),
        ceiling=Judged(ceiling, score(ceiling, retrained)),
        floor=Judged(floor, score(floor, retrained)),
    )


def judge(submission: Submission, reference: Reference) -> Result:
    """Run the submission on copies of the original model and score what comes out.

    Raises:
        SubmissionError: the submission is at fault. What was finished before stays in the store.
        MachineError: the machine is.
    """
    models = len(reference.retrained)
    unlearned = reference.pools.unlearned(submission, reference.original, models)
    return Result(submission, Judged(unlearned, score(unlearned, reference.retrained)), reference)


def run(path: Path, pools: Pools, models: int) -> Result:
    """All of it for the file at ``path``, which is read and checked before anything is trained."""
    submission = read(path)
    original = pools.original()
    # The first of its runs comes before the long work: a mistake shows now.
    pools.unlearned(submission, original, 1)
    return judge(submission, prepare(pools, original, models))


def run_checkpoints(path: Path, pools: Pools, models: int) -> Result:
    """The same for models that were made elsewhere: a zip or a folder of ``models`` checkpoints.

    Raises:
        InputError, SubmissionError: they are not what they have to be; see `checkpoints.py`.
        MachineError: the machine is at fault.
    """
    original = pools.original()
    checkpoints = find(path, models, weights_in(original))
    # As above: a file that cannot be judged shows before the long work.
    unlearned = pools.of_checkpoints(checkpoints, original, models)
    reference = prepare(pools, original, models)
    return Result(checkpoints, Judged(unlearned, score(unlearned, reference.retrained)), reference)
