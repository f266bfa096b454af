"""What a model declares besides its answers: a privacy guarantee, figures for the report, the size of its state."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace

from torch import nn

from scoring.learners.guarantee import Guarantee
from starter_kit.errors import SubmissionError

LONGEST = 10_000
"""Maximum size in bytes, as JSON."""

MOST_DETAILS, LONGEST_DETAIL, LARGEST_FIGURE = 8, 40, 1e15

ATTRIBUTES = ("guarantee", "details")
"""The attributes of a module that declare it."""


@dataclass(frozen=True)
class ModelInfo:
    """What a model declares. The kit checks that it is well-formed, not that it is true.

    Attributes:
        guarantee: what the model's attribute ``guarantee`` promises; None if it has none.
        details: what its attribute ``details`` holds: figures by name.
        size: bytes of everything that the module holds; 0 if only its weights are judged.
    """

    guarantee: Guarantee | None = None
    details: dict[str, float] = field(default_factory=dict)
    size: int = 0

    def to_bytes(self) -> bytes:
        """As JSON."""
        return json.dumps(asdict(self)).encode()

    @classmethod
    def from_bytes(cls, content: bytes) -> "ModelInfo":
        """What a run sent. Raises ``ValueError`` if it is anything else; the message says why."""
        if len(content) > LONGEST:
            raise ValueError(f"its guarantee and details have {len(content)} bytes, and at most {LONGEST} are accepted")
        try:
            found = cls(**json.loads(content.decode()))
        except (ValueError, TypeError, RecursionError) as error:
            raise ValueError("its guarantee and details are not in the format that the kit writes") from error
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
        return found


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
    declared = {"guarantee": found["guarantee"], "details": found["details"] or {}, "size": size}
    try:
        # Numbers of NumPy and tensors of one number become plain ones.
        return ModelInfo.from_bytes(json.dumps(declared, default=float).encode())
    except (TypeError, ValueError, OverflowError) as error:
        raise SubmissionError(f"the model's `guarantee` or `details` cannot be used: {error}.") from error


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
