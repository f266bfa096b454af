"""A worker on a machine of a cluster, as a Ray actor. It makes one row at a time."""

import shutil
import socket
import tempfile
from collections.abc import Callable
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path

import torch

from scoring.jobs.code import digest_of_code
from scoring.jobs.job import Job, Row
from scoring.running.backends import row_maker, row_or_error
from scoring.running.backends.processes import TO_TIDY_UP, Keeper, hand_over, keeper_as_fork
from scoring.running.host import host_kind
from scoring.running.travelling import Packed, unpacked
from scoring.untrusted import bubblewrap
from starter_kit.errors import InputError


class Slot:
    """Makes the rows of a job that a driver elsewhere asks for.

    Args:
        packed: the job; see `travelling.py`.
        number: which of its machine's slots this is.
        walled: whether submissions run in bubblewrap.
    """

    def __init__(self, packed: Packed, number: int, walled: bool) -> None:
        self.job = unpacked(*packed)
        self.number, self.walled = number, walled
        self.index, self.done = -1, 0.0
        self._make: Callable[[int], Row] | None = None
        self._folder = Path(tempfile.mkdtemp(prefix="run-")).resolve()
        self._keeper: Keeper | None = None
        self._pipe: Connection | None = None

    def refusal(self, kind: dict[str, str], code: str) -> str:
        """Why this machine may make no rows; nothing if it may.

        Args:
            kind: the one that the other rows are from.
            code: digest of the job's code where the rows are stored.
        """
        own = host_kind(self.job.device)
        if differing := [name for name in kind if own.get(name) != kind[name]]:
            return "; ".join(f"its {name} is {own.get(name, 'unknown')}, not {kind[name]}" for name in differing)
        if digest_of_code(self.job.code) != code:
            return "it has another version of this kit"
        if self.walled:
            try:
                bubblewrap.check()
            except InputError as error:
                return str(error)
        return ""

    def make(self, index: int) -> Row | Exception:
        """Row ``index``, or the error to raise in its place."""
        self.index, self.done = index, 0.0
        # Threads of a process have settings of their own, and which one this is may change.
        torch.set_num_threads(self.job.threads)
        return row_or_error(lambda: self._row(index))

    def share(self) -> tuple[int, float]:
        """Which row is being made, and how much of it is done."""
        return self.index, self.done

    def end(self) -> None:
        """End the keeper, and remove what runs could write to."""
        if self._keeper and self._pipe:
            self._pipe.close()
            self._keeper.join(TO_TIDY_UP)
            self._keeper.kill()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _row(self, index: int) -> Row:
        if not self._make:
            job = self._isolating() if self.job.handed else self.job
            self._make = row_maker(job, self._reached)
        return self._make(index)

    def _isolating(self) -> Job:
        """The job with a keeper of its own, which ends with this process."""
        self._pipe, theirs = Pipe()
        start = bubblewrap.start if self.walled else keeper_as_fork
        # As in `processes.py`.
        self._keeper = start(not torch.accelerator.is_available(), self.number, self._folder, theirs)
        theirs.close()
        return hand_over(self.job, self._pipe)

    def _reached(self, share: float) -> None:
        self.done = share


def name_of_machine() -> str:
    """The name of the machine that this process runs on."""
    return socket.gethostname()
