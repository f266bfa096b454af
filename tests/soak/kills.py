"""SIGKILLs at random moments: whom they hit, and whether they did."""

import os
import random
import signal
import time
from contextlib import suppress
from pathlib import Path

from tests.soak.program import Awake, Program

WEIGHTS = {"judge": 4, "group": 3, "everything": 2, "writing": 6, "worker": 32, "keeper": 22, "run": 28, "server": 3}
"""How often each kind is drawn.

- ``judge``: the main process; ``writing``: the same, while it writes a row or a report.
- ``group``: what Ctrl-C would reach: the judge, the fork server and the workers. ``everything``: the keepers and the
  runs as well, all at once, as when a container is stopped.
- ``worker``, ``keeper``, ``run``, ``server``: one process, whose work the program gives to another.
"""

ENDS = ("judge", "writing", "group", "everything")
"""The kinds that end the program."""

LATEST = 0.8
"""Seconds until a kill, at most."""

PATIENCE = 3.0
"""Seconds to wait for somebody to kill."""


def kill(program: Program, kind: str, store: Path, moments: random.Random) -> bool:
    """Wait for a random time, and kill. Gives whether there was somebody to kill within some seconds."""
    time.sleep(moments.uniform(0, LATEST))
    awake, met = Awake(), True
    while program.process.poll() is None and awake.seconds() < PATIENCE:
        victims = _victims(program, kind, store)
        if victims and not met:
            # It has only just been started, or written to: a moment of which there should not be more than of others.
            time.sleep(0 if kind == "writing" else moments.uniform(0, 0.1))
            victims = _victims(program, kind, store)
        if victims:
            return _kill(program, kind, victims, moments)
        met = False
        time.sleep(0.0005 if kind == "writing" else 0.005)
    return False


def left_in_writing(program: Program, store: Path) -> list[Path]:
    """The temporary files of the judge, which lie there as long as it writes, and after it was killed at that."""
    # Looked for in a hurry, while a row is being written: as few calls as possible.
    folders = [*(entry.path for entry in os.scandir(store)), str(program.out)]
    ending = f".{program.process.pid}.tmp"
    found = []
    for folder in folders:
        with suppress(FileNotFoundError):
            found += [Path(folder, name) for name in os.listdir(folder) if name.endswith(ending)]
    return found


def _victims(program: Program, kind: str, store: Path) -> list[int]:
    match kind:
        case "writing":
            return [program.process.pid] if left_in_writing(program, store) else []
        case "judge" | "group":
            return [program.process.pid]
        case "everything":
            return program.processes()
    return program.by_role()[kind]


def _kill(program: Program, kind: str, victims: list[int], moments: random.Random) -> bool:
    if kind == "group":
        os.killpg(program.process.pid, signal.SIGKILL)
        return True
    hit = False
    for victim in victims if kind == "everything" else [moments.choice(victims)]:
        with suppress(ProcessLookupError):
            os.kill(victim, signal.SIGKILL)
            hit = True
    return hit
