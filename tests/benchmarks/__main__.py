"""Run every benchmark in its own process, print a table, and write one results file, named after the device."""

import json
import platform
import subprocess
import sys
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

from rich.console import Console
from rich.table import Table

from scoring.running.host import processor
from tests.benchmarks import machine

RESULTS = Path(__file__).parent / "results"
BENCHMARKS = ("epsilon", "loaders", "layers", "digits", "competition", "whole_score")


def run(name: str) -> dict[str, float]:
    """The figures of one benchmark. Its own process keeps its memory peak separate."""
    code = f"import json; from tests.benchmarks import {name}; print(json.dumps({name}.measure()))"
    result = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(result.stdout.splitlines()[-1])


def commit() -> str:
    """The measured commit, with a mark if the tree has uncommitted changes."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=12"]
    return subprocess.run(command, stdout=subprocess.PIPE, text=True).stdout.strip() or "unknown"


if __name__ == "__main__":
    console = Console()
    figures: dict[str, dict[str, float]] = {}
    for name in BENCHMARKS:
        console.print(f"measuring {name} ...", style="dim")
        figures[name] = run(name)
    record = {
        "device": machine.name(),
        "processor": processor(),
        "date": datetime.now(UTC).date().isoformat(),
        "commit": commit(),
        "versions": {"python": platform.python_version()}
        | {name: metadata.version(name) for name in ("torch", "numpy", "scikit-learn")},
        "ratios": {
            "retrained_vs_organisers": figures["digits"]["retrained_vs_organisers"],
            "retrained_vs_organisers_at_competition_scale": figures["competition"]["retrained_vs_organisers"],
            "unlearned_vs_sequential": figures["digits"]["unlearned_vs_sequential"],
            "epsilon_vs_organisers": figures["epsilon"]["ratio_vs_organisers"],
            "retrained_vs_floor": figures["digits"]["retrained_vs_floor"],
            "retrained_vs_floor_at_competition_scale": figures["competition"]["retrained_vs_floor"],
        },
        "figures": figures,
    }
    table = Table("benchmark", "figure", "value", title=f"{record['device']} ({record['processor']})")
    for name, values in (*figures.items(), ("ratios", record["ratios"])):
        for figure, value in values.items():
            table.add_row(name, figure.replace("_", " "), f"{value:,.4g}")
        table.add_section()
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{record['device']}.json"
    path.write_text(json.dumps(record, indent=2) + "\n")
    console.print(table)
    console.print(f"written to {path.relative_to(Path.cwd())}")
