"""A bank: what submissions are compared with, ready to be shared."""

from dataclasses import dataclass

from scoring.banks.card import Card
from scoring.jobs.original import Original
from scoring.judging.ceiling import Ceiling
from scoring.judging.outputs import Identity, Outputs


@dataclass(frozen=True, eq=False)
class Bank:
    """An original model of a task's recipe, its retrained pool, and their ceiling.

    Attributes:
        card: what they are, and where they come from.
        original: the model that submissions start from.
        retrained: the answers of the retrained models.
        ceiling: what these score against each other.
    """

    card: Card
    original: Original
    retrained: Outputs
    ceiling: Ceiling

    @property
    def identity(self) -> Identity:
        """What all outputs that are compared with it carry."""
        return Identity(self.card.label, self.card.seed, self.card.reference)
