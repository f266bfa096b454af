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
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection

from scoring.untrusted.ended import ATTEMPTS, Ended
from scoring.untrusted.processes import killed_for_memory


class KeeperLostError(Exception):
    """The keeper ended, which only the system or a person can have done."""


@dataclass(frozen=True)
class Sandbox:
    """A worker's end of the connection to its keeper."""

    pipe: Connection

    def run(self, seed: int, limit: float) -> Ended:
        """Run the submission with a seed, for at most ``limit`` seconds; again if its process is killed.

        Raises:
            KeeperLostError: the keeper has ended.
        """
        before = killed_for_memory()
        for _ in range(ATTEMPTS):
            ended = self._run_once(seed, limit)
            if (ended.how, ended.code) != ("signal", signal.SIGKILL):
                return ended
        return ended if killed_for_memory() == before else replace(ended, how="memory")

    def _run_once(self, seed: int, limit: float) -> Ended:
        try:
            self.pipe.send((seed, limit))
            return self.pipe.recv()
        except (EOFError, ConnectionResetError, BrokenPipeError) as error:
            raise KeeperLostError from error
