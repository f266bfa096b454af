"""Measure everything, each in a process of its own; print a table and write one results file named by device."""

import json
import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table

RESULTS = Path(__file__).parent / "results"
BENCHMARKS = ("epsilon", "loaders", "whole_score")


def machine() -> str:
    """A name for the device, fit for a file."""
    name = torch.cuda.get_device_name() if torch.cuda.is_available() else f"cpu {len(os.sched_getaffinity(0))} cores"
    return name.lower().replace(" ", "-")


def processor() -> str:
    """What the system calls its processor."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def run(name: str) -> dict[str, float]:
    """The figures of one benchmark; a process of its own keeps memory peaks apart."""
    code = f"import json; from tests.benchmarks import {name}; print(json.dumps({name}.measure()))"
    result = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(result.stdout.splitlines()[-1])


def commit() -> str:
    """The commit that was measured, marked if the tree was edited since."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=12"]
    return subprocess.run(command, stdout=subprocess.PIPE, text=True).stdout.strip() or "unknown"


if __name__ == "__main__":
    console = Console()
    record = {
        "device": machine(),
        "processor": processor(),
        "date": datetime.now(UTC).date().isoformat(),
        "commit": commit(),
        "versions": {"python": platform.python_version()}
        | {name: metadata.version(name) for name in ("torch", "numpy", "scikit-learn")},
        "figures": {},
    }
    table = Table("benchmark", "figure", "value", title=f"{record['device']} ({record['processor']})")
    for name in BENCHMARKS:
        console.print(f"measuring {name} ...", style="dim")
        record["figures"][name] = run(name)
        for figure, value in record["figures"][name].items():
            table.add_row(name, figure.replace("_", " "), f"{value:,.4g}")
        table.add_section()
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{record['device']}.json"
    path.write_text(json.dumps(record, indent=2) + "\n")
    console.print(table)
    console.print(f"written to {path.relative_to(Path.cwd())}")
