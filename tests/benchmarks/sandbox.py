"""What it costs to run a submission in bubblewrap: the start of a worker, and each run."""

import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from rich.console import Console

from scoring.jobs.setting import Setting
from scoring.running import backends
from scoring.running.backends import Options
from scoring.running.pools import Pools
from scoring.running.progress import Progress
from scoring.untrusted import bubblewrap
from scoring.untrusted.submission import read
from starter_kit import tasks
from starter_kit.errors import InputError

RUNS, ROUNDS = 100, 5


def measure() -> dict[str, float]:
    """Milliseconds per run of `identity` on digits, with and without, in turn; seconds until the first."""
    try:
        bubblewrap.check()
    except InputError:
        return {}
    submission = read(Path("submissions/identity.py"))
    with tempfile.TemporaryDirectory() as folder:
        quiet = Progress(Console(stderr=True, quiet=True))
        pools = Pools(Setting(tasks.load("digits"), "cpu", 0), Path(folder), backends.load("processes"), 1, quiet)
        job = pools.runs_of(submission, pools.original)
        found: dict[str, list[tuple[float, float]]] = {"": [], "bwrap": []}
        for sandbox in list(found) * ROUNDS:
            backend = replace(pools.backend, run=backends.load("processes", Options(sandbox)).run)
            began = time.perf_counter()
            arrived = [time.perf_counter() for _ in backend.run(job, range(1, RUNS), 1)]
            found[sandbox].append((float(np.median(np.diff(arrived))), arrived[0] - began))
    (without, first_without), (within, first_within) = (np.median(some, axis=0).tolist() for some in found.values())
    return {
        "ms_per_run": 1000 * without,
        "ms_per_run_in_bubblewrap": 1000 * within,
        "more_ms_per_run": 1000 * (within - without),
        "seconds_to_the_first_run": first_without,
        "seconds_to_the_first_run_in_bubblewrap": first_within,
    }
