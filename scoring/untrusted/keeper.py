"""A keeper: it holds what runs of a submission get, and starts, watches and ends them, one after the other."""

import os
import pickle
import signal
from multiprocessing.connection import Connection
from pathlib import Path

import torch

from scoring.untrusted.call import Call, Handed, prepare
from scoring.untrusted.isolated_run import Confined, Run, start
from scoring.untrusted.processes import adopt_orphans, pack_memory
from starter_kit.answers import loss
from starter_kit.examples import BATCH_SIZE, split_into_batches


def keep(most: int, warm: bool, number: int, folder: Path, pipe: Connection) -> None:
    """A keeper's life, until the other end of its pipe is closed.

    Args:
        most: how many bytes the weights of a run may take.
        warm: whether one training step may be made before any run. It saves each run from making it, but where there
            is a GPU it starts threads, which forks lose.
        number: the worker's, which says which GPU is its own.
        folder: an empty one, which runs on a CPU may write. What they leave there is removed after each run.
        pipe: brings what every run gets, and then asks for runs.
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
    confined = Confined(folder) if forks else None
    if forks and warm and not handed.only_execute:
        _warm_up(handed)
    # A fork has copies of what is prepared before it. A run that is no fork prepares its own.
    prepared = prepare(handed) if forks else None

    def make() -> Call:
        return prepared or prepare(handed.copied(handed.device))

    pack_memory()
    run: Run | None = None
    try:
        while True:
            seed, limit = pipe.recv()
            run = run or start(handed, make, confined, number, folder)
            ended = run.serve(seed, limit, most, pipe)
            if forks or ended.how not in ("weights", "error"):
                run.end()
                run = None
            if confined:
                confined.wipe()
            pipe.send(ended)
    except (EOFError, ConnectionResetError, BrokenPipeError):
        # The worker has ended.
        return
    finally:
        if run:
            run.end()


def _warm_up(handed: Handed) -> None:
    """Train and answer with a batch of each size that the loaders deal.

    Kernels are chosen and compiled for each size, which no run has to do again.
    """
    net = handed.original()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    met: set[int] = set()
    for examples in (handed.retain, handed.forget, handed.validation):
        batches = split_into_batches(torch.arange(len(examples)), BATCH_SIZE)
        for index in (batches[0], batches[-1]):
            # Batch norm cannot train on a batch of one.
            if len(index) in met | {1}:
                continue
            met.add(len(index))
            inputs, targets = examples.take(index)
            optimizer.zero_grad()
            loss(net.train()(inputs), targets).backward()
            optimizer.step()
            with torch.no_grad():
                net.eval()(inputs)
