"""`make gpu`: is training on this GPU right, and how fast is it?

Each section runs in a process of its own, so one that crashes or takes too long costs no other its figures. Every
finding is written to the results file as soon as it is there.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from importlib import import_module

import torch

from tests.benchmarks import machine
from tests.benchmarks.record import RESULTS, circumstances

SECTIONS = {"right": 120, "machine": 30, "steps": 150, "layers": 60, "sharing": 150, "pools": 3600}
"""In this order, with the most seconds that each may take."""

ALL, FOR_POOLS = 540, 150
"""Seconds for everything, and those that are kept for the last section."""

AT_LEAST = 10
"""Seconds left, below which a section is not begun."""

Finding = dict[str, object]


def findings_of(section: str, seconds: float) -> Iterator[Finding]:
    """A section's findings, as they come."""
    if section in ("machine", "layers"):
        yield import_module(f"tests.benchmarks.{section}").measure()
    else:
        yield from import_module(f"tests.benchmarks.gpu.{section}").findings(seconds)


def apart(section: str, seconds: float) -> Iterator[Finding]:
    """The same from a process of its own, which is ended after so many seconds, with all that it started."""
    command = [sys.executable, "-m", __package__, "--section", section, str(seconds)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True) as process:
        late = threading.Timer(seconds, os.killpg, (process.pid, signal.SIGKILL))
        late.start()
        assert process.stdout
        try:
            yield from map(json.loads, process.stdout)
            if code := process.wait():
                reason = f"ended with exit code {code}" if late.is_alive() else f"not finished in {seconds:.0f} s"
                yield {"failed": reason}
        finally:
            late.cancel()
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)


def measure(seconds: float, say: Callable[[str], None] = print) -> dict[str, dict[str, object]]:
    """Run all sections in so many seconds, writing what they find, and return it by section."""
    end = time.monotonic() + seconds
    sections: dict[str, dict[str, object]] = {}
    record = circumstances() | {"seconds_allowed": seconds, "sections": sections}
    path = RESULTS / f"gpu-{machine.name()}.json"
    for name, most in SECTIONS.items():
        left = end - time.monotonic() - (FOR_POOLS if name != "pools" else 0)
        sections[name] = {}
        begun = left >= AT_LEAST
        for finding in apart(name, min(most, left)) if begun else [{"left out": "there was no time"}]:
            sections[name] |= finding
            path.write_text(json.dumps(record, indent=2) + "\n")
            for what, value in finding.items():
                say(f"{name}: {what}: {_shown(value)}")
    say(f"written to {path}")
    return sections


def _shown(value: object) -> str:
    """A figure for a person; of many, only how many there are."""
    match value:
        case float():
            return f"{value:,.4g}"
        case dict() if len(value) > 8:
            return f"{len(value)} figures"
        case dict():
            return ", ".join(f"{name.replace('_', ' ')} {_shown(one)}" for name, one in value.items())
    return str(value)


def wrong(sections: dict[str, dict[str, object]]) -> bool:
    """Whether a section failed, or a test did."""
    tests = sections.get("right", {}).values()
    return any("failed" in found for found in sections.values()) or any(result != "passed" for result in tests)


def main() -> int:
    """Measure everything, or print the findings of one section, and return the exit code."""
    parser = argparse.ArgumentParser(description="Check and time the kit on an NVIDIA GPU.")
    parser.add_argument("seconds", nargs="?", type=float, default=ALL, help="for everything, or for one section")
    parser.add_argument("--section", choices=SECTIONS, help="measure only this, and print JSON")
    given = parser.parse_args()
    if given.section:
        for found in findings_of(given.section, given.seconds):
            print(json.dumps(found), flush=True)
        return 0
    if not torch.cuda.is_available():
        print("make gpu measures an NVIDIA GPU, and torch finds none here.", file=sys.stderr)
        return 1
    return int(wrong(measure(given.seconds)))


if __name__ == "__main__":
    sys.exit(main())
