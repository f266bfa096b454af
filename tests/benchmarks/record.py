"""What every results file says of the machine, the day and the code."""

import platform
import subprocess
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

from scoring.running.host import processor
from tests.benchmarks import machine

RESULTS = Path(__file__).parent / "results"


def circumstances(*packages: str) -> dict[str, object]:
    """Device, processor, date, commit, and the versions of Python, torch, NumPy and other packages."""
    return {
        "device": machine.name(),
        "processor": processor(),
        "date": datetime.now(UTC).date().isoformat(),
        "commit": _commit(),
        "versions": {"python": platform.python_version()}
        | {name: metadata.version(name) for name in ("torch", "numpy", *packages)},
    }


def _commit() -> str:
    """The measured commit, with a mark if the tree has uncommitted changes."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=12"]
    try:
        result = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    except OSError:
        return "unknown"
    return result.stdout.strip() or "unknown"
