"""A keeper: it holds what runs of a submission get, and starts, watches and ends them, one after the other."""

import os
import pickle
import signal
from multiprocessing.connection import Connection
from pathlib import Path

import torch

from scoring.untrusted.handed import Call, Handed
from scoring.untrusted.isolated_run import Confined, Run, start
from scoring.untrusted.processes import adopt_orphans, pack_memory


def keep(warm: bool, number: int, folder: Path, pipe: Connection, walled: bool = False) -> None:
    """A keeper's life, until the other end of its pipe is closed.

    Args:
        warm: whether one training step may be made before any run. It saves each run from making it, but where there
            is a GPU it starts threads, which forks lose.
        number: the worker's, which says which GPU is its own.
        folder: an empty one, which runs on a CPU may write. What they leave there is removed after each run.
        pipe: brings what every run gets, and then asks for runs.
        walled: whether this process already has a file system of its own, as in bubblewrap.
    """
    # A session of its own: what is sent to the terminal's processes leaves it time to end its runs.
    os.setsid()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    adopt_orphans()
    # Output of submissions would garble the progress bar. The serial backend shows it.
    silence = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(silence, stream)
    torch.set_num_threads(1)
    try:
        # Its own process pickled it, by value: no tensor in it lies in memory that anybody shares.
        handed: Handed = pickle.loads(pipe.recv_bytes())
    except (EOFError, ConnectionResetError):
        return
    forks = handed.device == "cpu"
    confined = Confined(folder, walled) if forks else None
    if forks and warm:
        handed.warm_up()
    # A fork has copies of what is prepared before it. A run that is no fork prepares its own.
    prepared = handed.prepare() if forks else None

    def make() -> Call:
        return prepared or handed.copied(handed.device).prepare()

    def finish(run: Run) -> None:
        run.end()
        if confined:
            confined.wipe()

    pack_memory()
    run: Run | None = None
    try:
        while True:
            request, limit, fresh = pipe.recv()
            if run and fresh and forks:
                finish(run)
                run = None
            run = run or start(handed, make, confined, number, folder)
            ended = run.serve(request, limit, fresh, handed.most, pipe)
            if (forks and (handed.one_request or ended.how == "error")) or ended.how not in ("done", "error"):
                finish(run)
                run = None
            pipe.send(ended)
    except (EOFError, ConnectionResetError, BrokenPipeError):
        # The worker has ended.
        return
    finally:
        if run:
            run.end()
