"""What a submission promises of its models' privacy, and whether its models contradict it."""

from dataclasses import dataclass

from scoring.judging.audit import audit_epsilon
from scoring.judging.outputs import Outputs
from scoring.learners.guarantee import Guarantee
from scoring.running.unlearned import Unlearned
from scoring.untrusted.submission import Submission
from starter_kit.errors import SubmissionError


@dataclass(frozen=True)
class Promise:
    """A guarantee for the request that was made.

    Attributes:
        guarantee: what the models carry.
        epsilon: what that comes to for so many forgotten examples.
        proved: an epsilon that one of the forget examples exceeds with 95% confidence; None if the models cannot prove
            anything about the guarantee, because it is about something else than retrained models.
    """

    guarantee: Guarantee
    epsilon: float
    proved: float | None

    @property
    def contradicted(self) -> bool:
        """Whether more is proved than promised."""
        return self.proved is not None and self.proved > self.epsilon


def promised(
    submission: Submission, made: Unlearned, examples: int, retrained: Outputs | None = None
) -> Promise | None:
    """The guarantee that a submission's models carry; None if they carry none.

    Args:
        submission: what made them.
        made: the unlearned models.
        examples: how many the request covers.
        retrained: the models to compare it with; None if it is only to be computed.

    Raises:
        SubmissionError: its models carry different ones.
        InputError: the package that computes it is not installed, or it promises nothing.
    """
    try:
        guarantee = made.guarantee
    except ValueError as error:
        raise SubmissionError(f"{submission.path}: {error}.") from error
    if guarantee is None:
        return None
    epsilon = guarantee.epsilon(examples)
    if retrained is None or guarantee.reference:
        # What it is about is not what these pools are compared with.
        return Promise(guarantee, epsilon, None)
    pools = made.outputs.forget_confidence, retrained.forget_confidence
    proved = audit_epsilon(*pools, delta=guarantee.delta, simultaneous=True)
    return Promise(guarantee, epsilon, float(proved.max()))
