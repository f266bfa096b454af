"""Which questions are learned and which are held out, where every fact is asked for in three ways."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np


class Asked(Protocol):
    """A question: the number of its fact, and which of the fact's three questions it is."""

    @property
    def fact(self) -> int:
        """The number."""

    @property
    def phrasing(self) -> int:
        """0, 1 or 2."""


@dataclass(frozen=True)
class Split:
    """Positions of questions, in their order.

    Attributes:
        learned: two of each fact.
        validation, test: the third one, of half of the facts each.
    """

    learned: list[int]
    validation: list[int]
    test: list[int]


def split(questions: Sequence[Asked], rng: np.random.Generator) -> Split:
    """Hold out a question of each fact, drawn by ``rng``, and share these out by fact."""
    facts = sorted({one.fact for one in questions})
    held_out = dict(zip(facts, rng.integers(3, size=len(facts)).tolist(), strict=True))
    in_validation = set(rng.permutation(facts)[: len(facts) // 2].tolist())
    found = Split([], [], [])
    for place, one in enumerate(questions):
        if one.phrasing != held_out[one.fact]:
            found.learned.append(place)
        else:
            (found.validation if one.fact in in_validation else found.test).append(place)
    return found
