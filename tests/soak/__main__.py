"""Run the soak: `python -m tests.soak [KILLS] [SEED]`. From 1,000 kills on it writes results.json."""

import argparse
import json
import os
import platform
import random
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

from tests.benchmarks.record import circumstances
from tests.soak import program
from tests.soak.full_disk import full_disk
from tests.soak.rows import Ledger, report_in, rows_in
from tests.soak.soak import Soak, say

RESULTS = Path(__file__).parent / "results.json"
ENOUGH = 1000
"""Kills from which on the figures are kept."""


def soak(kills: int, seed: int, folder: Path, mark: str) -> Soak:
    """All of it, and what was found.

    Args:
        kills: how many SIGKILLs.
        seed: of everything that is random.
        folder: an empty one.
        mark: what the marks of all programs begin with.
    """
    expected, reports = undisturbed(folder / "undisturbed", mark)
    soaked = Soak(Ledger(folder / "store", expected), reports, folder, mark, random.Random(seed))
    soaked.until(kills)
    say("without kills ...")
    soaked.finish()
    say("full disks ...")
    _fill_disks(soaked, seed)
    return soaked


def undisturbed(folder: Path, mark: str) -> tuple[dict, dict]:
    """The rows and the reports, by submission, of runs that nobody disturbs."""
    (folder / "temporary").mkdir(parents=True)
    reports = {}
    for submission in program.SUBMISSIONS:
        out = folder / Path(submission).stem
        one = program.start(submission, folder / "store", out, folder / "temporary", f"{mark}-undisturbed")
        if one.process.wait() != 0:
            raise SystemExit(f"{submission} fails although nobody disturbs it:\n{one.said.read_text()}")
        reports[submission] = report_in(out)
    return rows_in(folder / "store"), reports


def _fill_disks(soaked: Soak, seed: int) -> None:
    folder = soaked.folder / "full"
    folder.mkdir()
    found = full_disk(folder, seed, f"{soaked.mark}-full")
    if found is None:
        say("left out: this machine does not allow a file system to be mounted.")
        return
    soaked.figures["full_disks"] = found["full"]
    wrong = found["wrong"]
    if (folder / "report").exists():
        if report_in(folder / "report") != soaked.reports[program.SUBMISSIONS[1]]:
            wrong.append("the report from a disk that was full differs from that of the undisturbed run")
        wrong += Ledger(folder / "store", soaked.ledger.expected).check()[1]
    for sentence in wrong:
        soaked.wrong(sentence)


def record(soaked: Soak, seed: int, minutes: float) -> dict:
    """The figures, with the machine and the versions."""
    return circumstances() | {
        "linux": platform.release(),
        "seed": seed,
        "models": program.MODELS,
        "minutes": round(minutes, 1),
        "kills": {"all": soaked.kills.total(), **soaked.kills},
        "figures": {**soaked.figures, "removed_rows_made_again": soaked.ledger.made_again},
        "most_seconds_until_no_process_was_left": round(soaked.slowest, 2),
        "left_behind": soaked.left(),
        "broken_promises": soaked.failures,
    }


def main(kills: int, seed: int) -> int:
    """Run it, print the figures, and give the exit code: 1 if a promise was broken."""
    if sys.platform != "linux":
        raise SystemExit("The soak finds processes in /proc, so it needs Linux.")
    say(f"{kills} kills, seed {seed}")
    # What ends this process politely must leave nothing behind either.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    mark = f"{os.getpid()}-{time.monotonic_ns()}"
    folder = Path(tempfile.mkdtemp(prefix="soak-"))
    start = time.monotonic()
    try:
        soaked = soak(kills, seed, folder, mark)
        figures = record(soaked, seed, (time.monotonic() - start) / 60)
    except KeyboardInterrupt:
        say("Stopped.")
        return 130
    finally:
        program.end(mark)
        shutil.rmtree(folder, ignore_errors=True)
    text = json.dumps(figures, indent=2)
    say(text)
    if kills >= ENOUGH:
        RESULTS.write_text(text + "\n")
    return 1 if soaked.failures else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description="Kill the program at random moments, and see whether it keeps its promises."
    )
    parser.add_argument("kills", nargs="?", type=int, default=ENOUGH)
    parser.add_argument("seed", nargs="?", type=int, default=random.SystemRandom().randrange(10**6))
    sys.exit(main(**vars(parser.parse_args())))
