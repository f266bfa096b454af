"""Runs of a submission in processes of their own, apart from the process that judges.

    worker   judges: it holds the test set and makes rows, and never runs a line of the submission
      └ keeper   holds what a submission may see, takes the time, and ends what is left of a run
          └ run   a fork of the keeper: executes the submission and sends back bytes

The keeper has imported torch and made one training step of its own, but it never runs the submission either. So on a
CPU each run starts from a clean process. A GPU cannot be used in forks of a process that has used it, and to start
CUDA takes seconds; there one process serves all runs of a worker until it ends. What such a run leaves in memory (in a
module of torch, say) reaches the next one: a submission for a GPU can keep models between its runs, and can share
random numbers among them.
"""

import signal
from collections.abc import Callable
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from time import perf_counter

from scoring.untrusted.ended import ATTEMPTS, Ended
from scoring.untrusted.handed import Call, Handed
from scoring.untrusted.processes import killed_for_memory
from scoring.untrusted.torch_state import remembered
from starter_kit.errors import SubmissionError


class KeeperLostError(Exception):
    """The keeper ended, which only the system or a person can have done."""


@dataclass(frozen=True)
class Sandbox:
    """A worker's end of the connection to its keeper."""

    pipe: Connection

    def ask(self, request: bytes, limit: float, fresh: bool = True) -> Ended:
        """Have a request answered in at most ``limit`` seconds, by a fresh run or by the one that is there.

        Raises:
            KeeperLostError: the keeper has ended.
        """
        try:
            self.pipe.send((request, limit, fresh))
            return self.pipe.recv()
        except (EOFError, ConnectionResetError, BrokenPipeError) as error:
            raise KeeperLostError from error


class InPlace:
    """Makes runs in this very process, where ``print`` and a debugger reach them, and nothing is isolated."""

    def __init__(self, handed: Handed) -> None:
        self.handed = handed
        self.call: Call | None = None

    def ask(self, request: bytes, limit: float, fresh: bool = True) -> Ended:
        """As in a sandbox, but without a limit."""
        restore = remembered()
        try:
            if fresh or not self.call:
                self.call = self.handed.copied(self.handed.device).prepare()
            start = perf_counter()
            return Ended("done", self.call(request), perf_counter() - start)
        except SubmissionError as error:
            return Ended("error", str(error).encode())
        except (Exception, SystemExit) as error:
            return Ended("error", self.handed.submission.explain(error).encode(errors="backslashreplace"))
        finally:
            restore()


def repeated(run: Callable[[], Ended]) -> Ended:
    """How a run ended, made again if its process is killed from outside, by the system or by a person."""
    before = killed_for_memory()
    for _ in range(ATTEMPTS):
        ended = run()
        if (ended.how, ended.code) != ("signal", signal.SIGKILL):
            return ended
    return ended if killed_for_memory() == before else replace(ended, how="memory")
