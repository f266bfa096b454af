"""What a job is: units of work that differ in their index alone."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol, Self

from numpy.typing import NDArray

from starter_kit.training import Report, silent

if TYPE_CHECKING:
    from scoring.untrusted.handed import Handed
    from scoring.untrusted.sandbox import Sandbox

Row = dict[str, NDArray]
"""What one unit of work leaves: arrays by name."""


class AnotherWayError(Exception):
    """A row must be made by a changed job, and in another process: this one is no longer fit for it.

    Attributes:
        changes: the job's attributes that change, for ``dataclasses.replace``.
    """

    def __init__(self, changes: dict[str, object]) -> None:
        super().__init__(changes)
        self.changes = changes


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

    @property
    def device(self) -> str:
        """Where it computes."""

    @property
    def threads(self) -> int:
        """How many threads make a row. It decides the rounding of sums, so it must not depend on the machine."""

    @property
    def handed(self) -> "Handed | None":
        """What the job gives to code that must not be trusted; None if it runs none."""

    def within(self, sandbox: "Sandbox") -> Self:
        """The same job, running such code in a sandbox. Without one it runs in the process that makes the row."""

    def prepare(self, report: Report = silent) -> Callable[[int], Row]:
        """Load what all units share, and return the function from a unit's index to its row.

        Args:
            report: told the share of the current unit that is done, if the job knows it.

        The function raises ``AnotherWayError`` if it cannot make a row in this process.
        """


class OwnCode:
    """The part of a job that runs no code but the kit's, on one thread of the CPU."""

    device = "cpu"
    threads = 1

    @property
    def handed(self) -> "Handed | None":
        """Nothing."""
        return None

    def within(self, sandbox: "Sandbox") -> Self:
        """The job itself, which needs none."""
        return self
