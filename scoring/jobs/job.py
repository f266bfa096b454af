"""What a job is: units of work that differ in their index alone."""

from collections.abc import Callable
from typing import Protocol

from numpy.typing import NDArray

Row = dict[str, NDArray]
"""What one unit of work leaves: arrays by name."""


class Job(Protocol):
    """Describes itself completely: its rows are found again by what it says here. It must be picklable."""

    @property
    def size(self) -> int:
        """How many models a row holds."""

    @property
    def shares_gpu(self) -> bool:
        """Whether several workers per GPU may be faster than one."""

    @property
    def code(self) -> tuple[str, ...]:
        """The modules whose source can change a bit of a row."""

    def key(self) -> dict[str, str]:
        """Everything else that decides the rows, except the machine and the versions of packages."""

    def prepare(self) -> Callable[[int], Row]:
        """Load what all units share, and return the function from a unit's index to its row."""
