"""How much faster SISA unlearns than it retrains, one model at a time."""

import tempfile
from pathlib import Path

from rich.console import Console

from scoring.jobs.setting import Setting
from scoring.running import backends
from scoring.running.pools import Pools
from scoring.running.progress import Progress
from scoring.untrusted.submission import read
from starter_kit import tasks
from tests.benchmarks import machine

MODELS = 16


def measure() -> dict[str, float]:
    """Mean seconds of learning, unlearning and retraining, measured side by side, and the last two's ratio."""
    submission = read(Path("submissions/sisa.py"))
    with tempfile.TemporaryDirectory() as folder:
        setting = Setting(tasks.load("digits"), machine.DEVICE, 0)
        quiet = Progress(Console(stderr=True, quiet=True))
        pools = Pools(setting, Path(folder), backends.load("processes"), None, quiet)
        made = pools.of(submission).unlearned(submission, MODELS)
    assert made.learning is not None, "sisa brings its own learning"
    retraining = made.outputs.retraining_seconds
    retraining = retraining[retraining == retraining]
    return {
        "sisa_learning_seconds": float(made.learning.seconds.mean()),
        "sisa_unlearning_seconds": float(made.outputs.seconds.mean()),
        "sisa_retraining_seconds": float(retraining.mean()),
        "sisa_retraining_vs_unlearning": float(retraining.mean() / made.outputs.seconds.mean()),
    }
