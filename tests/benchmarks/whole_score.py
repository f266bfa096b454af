"""The wall-clock time of `make score` at 512 models. Bounds on 2 cores: 12 minutes first, then 2 per submission."""

import subprocess
import sys
import tempfile
import time
from pathlib import Path


def measure() -> dict[str, float]:
    """Seconds for a first score with an empty store, for another submission after it, and for the same one again."""
    with tempfile.TemporaryDirectory() as folder:
        return {
            "first_seconds": _seconds_of("submissions/finetune.py", folder),
            "another_submission_seconds": _seconds_of("submissions/prune_l1.py", folder),
            "same_again_seconds": _seconds_of("submissions/prune_l1.py", folder),
        }


def _seconds_of(submission: str, folder: str) -> float:
    """Wall-clock seconds of the command."""
    command = [sys.executable, "-m", "scoring", "score", submission]
    # With the kit's bank, the first would train nothing but the submission.
    options = ["--store", f"{folder}/store", "--out", str(Path(folder) / "report"), "--bank", "none"]
    start = time.perf_counter()
    subprocess.run([*command, *options], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start
