"""What a model declares in addition to its answers: a guarantee, figures, examples that were generated, its size."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace

from torch import nn

from scoring.learners.guarantee import Guarantee
from starter_kit.errors import SubmissionError

LONGEST = 200_000
"""Maximum size in bytes, as JSON."""

MOST_DETAILS, LONGEST_DETAIL, LARGEST_FIGURE = 8, 40, 1e15
MOST_GENERATED = 1000

ATTRIBUTES = ("guarantee", "details")
"""The attributes of a module that declare numbers by name."""


@dataclass(frozen=True)
class ModelInfo:
    """What a model declares. The kit checks that it is well-formed, not that it is true.

    Attributes:
        guarantee: what the model's attribute ``guarantee`` promises; None if it has none.
        details: what its attribute ``details`` holds: figures by name.
        generated: what its attribute ``generated`` holds: questions and answers that the submission wrote itself.
        size: bytes of everything that the module holds; 0 if only its weights are judged.
    """

    guarantee: Guarantee | None = None
    details: dict[str, float] = field(default_factory=dict)
    generated: tuple[tuple[str, str], ...] = ()
    size: int = 0

    def to_bytes(self) -> bytes:
        """As JSON."""
        return json.dumps(asdict(self)).encode()

    @classmethod
    def from_bytes(cls, content: bytes) -> "ModelInfo":
        """What a run sent. Raises ``ValueError`` if it is anything else; the message says why."""
        if len(content) > LONGEST:
            raise ValueError(f"it declares {len(content)} bytes, and at most {LONGEST} are accepted")
        try:
            found = cls(**json.loads(content.decode()))
        except (ValueError, TypeError, RecursionError) as error:
            raise ValueError(
                "its guarantee, details and generated examples are not in the format that the kit writes"
            ) from error
        if type(found.size) is not int or not 0 <= found.size < 2**62:
            raise ValueError("the size of its model is not a number of bytes")
        if found.guarantee is not None:
            found = replace(found, guarantee=Guarantee.of(found.guarantee))
        if not isinstance(found.details, dict) or len(found.details) > MOST_DETAILS:
            raise ValueError(f"its details must be a dictionary of at most {MOST_DETAILS} numbers")
        for name, value in found.details.items():
            if not name.isprintable() or len(name) > LONGEST_DETAIL:
                raise ValueError(f"expected details with printable names of at most {LONGEST_DETAIL} characters")
            # NaN is not within any bounds.
            if type(value) not in (int, float) or not -LARGEST_FIGURE <= value <= LARGEST_FIGURE:
                raise ValueError(f"its detail {name} is not a number between -1e15 and 1e15")
        pairs = found.generated
        if not isinstance(pairs, list) or len(pairs) > MOST_GENERATED or not all(map(_is_pair, pairs)):
            raise ValueError(f"expected at most {MOST_GENERATED} generated pairs of a question and an answer, as text")
        return replace(found, generated=tuple((question, answer) for question, answer in pairs))


def _is_pair(value: object) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(isinstance(text, str) for text in value)


def info_of(model: nn.Module, size: int = 0) -> ModelInfo:
    """What a model of ``size`` bytes declares. Raises ``SubmissionError`` if it is malformed."""
    found: dict[str, dict | None] = {}
    for name in ATTRIBUTES:
        value = getattr(model, name, None)
        if not (value is None or isinstance(value, Mapping)):
            raise SubmissionError(
                f"the model's `{name}` is {type(value).__name__}; expected a dictionary of numbers by name."
            )
        found[name] = None if value is None else dict(value)
    declared: dict[str, object] = {"guarantee": found["guarantee"], "details": found["details"] or {}, "size": size}
    try:
        declared["generated"] = [list(pair) for pair in getattr(model, "generated", ())]
        # Numbers of NumPy and tensors of one number become plain ones.
        return ModelInfo.from_bytes(json.dumps(declared, default=float).encode())
    except (TypeError, ValueError, OverflowError) as error:
        raise SubmissionError(f"the model's `guarantee`, `details` or `generated` cannot be used: {error}.") from error


def packed(info: ModelInfo, content: bytes) -> bytes:
    """Both in one answer: eight bytes for the length of the first."""
    first = info.to_bytes()
    return len(first).to_bytes(8, "little") + first + content


def unpacked(answer: bytes) -> tuple[ModelInfo, bytes]:
    """What ``packed`` put together. Raises ``ValueError`` if the answer is anything else."""
    end = 8 + int.from_bytes(answer[:8], "little")
    if len(answer) < end:
        raise ValueError("its answer is cut off")
    return ModelInfo.from_bytes(answer[8:end]), answer[end:]
