"""`make score` at 512 models, as a person waits for it. Bounds on 2 cores: 12 minutes, then 2 for another one."""

import subprocess
import sys
import tempfile
import time
from pathlib import Path


def measure() -> dict[str, float]:
    """Seconds of one run on an empty store, ceiling included, and of another submission after it."""
    with tempfile.TemporaryDirectory() as folder:
        return {
            "first_seconds": _seconds_of("submissions/finetune.py", folder),
            "another_submission_seconds": _seconds_of("submissions/prune_l1.py", folder),
            "same_again_seconds": _seconds_of("submissions/prune_l1.py", folder),
        }


def _seconds_of(submission: str, folder: str) -> float:
    """Wall-clock seconds of the command."""
    command = [sys.executable, "-m", "scoring", "score", submission]
    options = ["--store", f"{folder}/store", "--out", str(Path(folder) / "report")]
    start = time.perf_counter()
    subprocess.run([*command, *options], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start
