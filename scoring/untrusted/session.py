"""The judge's side of a run that learns, unlearns and answers: requests to it, and what it sends back."""

import pickle
from typing import Literal, Protocol

import torch
from torch import Tensor

from scoring.untrusted.ended import Ended
from scoring.untrusted.learning import Answer, Info, Keep, Learn, State, Unlearn
from scoring.untrusted.model_info import ModelInfo
from scoring.untrusted.safetensors_file import tensors_in_safetensors

MOST_TENSORS = 100_000
"""How many tensors a state may consist of."""


class Place(Protocol):
    """Where requests are answered."""

    def ask(self, request: bytes, limit: float, fresh: bool = True) -> Ended:
        """Have a request answered in at most ``limit`` seconds, by a fresh run or by the one that is there."""


class FailedError(Exception):
    """A run that did not answer.

    Attributes:
        ended: how it ended.
    """

    def __init__(self, ended: Ended) -> None:
        super().__init__(ended.how)
        self.ended = ended


class Session:
    """The judge's side of one run.

    Args:
        place: where the run is made.
        limit: the seconds that it may take altogether.

    Raises:
        FailedError: the run did not answer.
        ValueError: it sent something else than it was asked for. The message says what.
    """

    def __init__(self, place: Place, limit: float) -> None:
        self.place, self.left, self.fresh = place, limit, True

    def learn(self, seed: int, leave_out: frozenset[int] = frozenset()) -> float:
        """Have it learn a model; the seconds that it took."""
        return self._ask(Learn(seed, leave_out)).seconds

    def keep(self) -> None:
        """Have it keep a copy."""
        self._ask(Keep())

    def unlearn(self, seed: int, ids: frozenset[int]) -> float:
        """Have the model unlearn; the seconds that it took."""
        return self._ask(Unlearn(seed, ids)).seconds

    def info(self) -> ModelInfo:
        """What the model declares, and its size."""
        return ModelInfo.from_bytes(self._ask(Info()).content)

    def answer(self, of: Literal["model", "kept"], inputs: Tensor) -> Tensor:
        """Whatever tensor it answers with, in single precision."""
        found = tensors_in_safetensors(self._ask(Answer(of, inputs.cpu())).content, 1)
        if set(found) != {"logits"} or found["logits"].dtype != torch.float32:
            raise ValueError("it sent something other than logits")
        return found["logits"]

    def state(self) -> dict[str, Tensor]:
        """Everything that the model holds, except what it declares, by path."""
        return tensors_in_safetensors(self._ask(State()).content, MOST_TENSORS)

    def _ask(self, request: object) -> Ended:
        ended = self.place.ask(pickle.dumps(request), self.left, self.fresh)
        self.fresh = False
        self.left -= ended.seconds
        if ended.how != "done":
            raise FailedError(ended)
        return ended
