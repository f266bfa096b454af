"""Run every benchmark in its own process, print a table, and write one results file, named after the device."""

import json
import subprocess
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.benchmarks.record import RESULTS, circumstances

BENCHMARKS = (
    "machine",
    "epsilon",
    "loaders",
    "layers",
    "digits",
    "exact",
    "transformers",
    "competition",
    "whole_score",
    "cluster",
    "sandbox",
)


def run(name: str) -> dict:
    """The figures of one benchmark. Its own process keeps its memory peak separate."""
    code = f"import json; from tests.benchmarks import {name}; print(json.dumps({name}.measure()))"
    result = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(result.stdout.splitlines()[-1])


if __name__ == "__main__":
    console = Console()
    figures: dict[str, dict] = {}
    for name in BENCHMARKS:
        console.print(f"measuring {name} ...", style="dim")
        figures[name] = run(name)
    record = circumstances("scikit-learn") | {
        "ratios": {
            "retrained_vs_organisers": figures["digits"]["retrained_vs_organisers"],
            "retrained_vs_organisers_at_competition_scale": figures["competition"]["retrained_vs_organisers"],
            "unlearned_vs_sequential": figures["digits"]["unlearned_vs_sequential"],
            "sisa_retraining_vs_unlearning": figures["exact"]["sisa_retraining_vs_unlearning"],
            "epsilon_vs_organisers": figures["epsilon"]["ratio_vs_organisers"],
            "retrained_vs_floor": figures["digits"]["retrained_vs_floor"],
            "retrained_vs_floor_at_competition_scale": figures["competition"]["retrained_vs_floor"],
        },
        "figures": figures,
    }
    table = Table("benchmark", "figure", "value", title=f"{record['device']} ({record['processor']})")
    for name, values in (*figures.items(), ("ratios", record["ratios"])):
        for figure, value in values.items():
            # What is nested is for the file alone.
            if isinstance(value, float | int):
                table.add_row(name, figure.replace("_", " "), f"{value:,.4g}")
        table.add_section()
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{record['device']}.json"
    path.write_text(json.dumps(record, indent=2) + "\n")
    console.print(table)
    console.print(f"written to {path.relative_to(Path.cwd())}")
