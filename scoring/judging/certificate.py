"""Whether an unlearning algorithm is exact: whether its models are bit-identical to ones that never saw the examples.

Equal bits for a seed prove more than any attack can: the two models are the same. The proof covers only what was
tested: this code, these seeds, these requests. It cannot show that somebody else ran this code (Thudi et al. 2022), and
it does not cover requests chosen after seeing the model, where even an exact method may leak (Gupta et al. 2021).
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

State = Mapping[str, NDArray]
"""Everything that a model holds and answers, by name."""


@dataclass(frozen=True)
class Certificate:
    """What was tried, and the first difference.

    Attributes:
        seeds: how many seeds.
        requests: the kinds of requests, each tried with every seed.
        tensors: how many tensors were compared for each.
        difference: which seed, request and tensor differed first; None if all had equal bits.
    """

    seeds: int
    requests: tuple[str, ...]
    tensors: int
    difference: str | None

    @property
    def exact(self) -> bool:
        """Whether all bits were equal."""
        return self.difference is None

    def __str__(self) -> str:
        if self.difference:
            return f"not exact: {self.difference}"
        return f"exact: equal bits for {self.seeds} seeds × {len(self.requests)} requests"


def first_difference(unlearned: State, retrained: State) -> str | None:
    """The first array that is not the same in both, and how it differs; None if all have equal bits.

    Args:
        unlearned: what the unlearned model holds.
        retrained: what a model holds that was learned without the examples, from the same seed.
    """
    for name in sorted({*unlearned, *retrained}):
        if name not in unlearned or name not in retrained:
            holder = "unlearned" if name in unlearned else "retrained"
            return f"only the {holder} model has {name}"
        one, other = unlearned[name], retrained[name]
        if one.shape != other.shape or one.dtype != other.dtype:
            return f"{name} is {one.dtype} {list(one.shape)}, and {other.dtype} {list(other.shape)} after retraining"
        # Compare bytes, because NaN != NaN and 0.0 == -0.0.
        if one.tobytes() != other.tobytes():
            differing = int((_bytes(one) != _bytes(other)).any(axis=1).sum())
            return f"{name} differs in {differing} of {one.size} values"
    return None


def _bytes(values: NDArray) -> NDArray[np.uint8]:
    """[size, itemsize] the bytes of each value."""
    return np.frombuffer(values.tobytes(), np.uint8).reshape(values.size, -1)


def still_held(unlearned: State, retrained: State, ids: frozenset[int]) -> str | None:
    """The first array of integers that holds an id of a forgotten example, unless the retrained model has it there too.

    Args:
        unlearned, retrained: as above.
        ids: of the forgotten examples.
    """
    forgotten = np.array(sorted(ids))
    for name, values in sorted(unlearned.items()):
        if values.dtype.kind not in "iu" or values.dtype.itemsize < 2:
            continue
        other = retrained.get(name, np.empty(0, values.dtype))
        if np.setdiff1d(np.intersect1d(values, forgotten), other).size:
            return name
    return None
