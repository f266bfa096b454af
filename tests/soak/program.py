"""The program as a real command, and all processes that belong to it."""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]
SUBMISSIONS = ("submissions/finetune.py", "tests/soak/noisy.py")
MODELS = 64

MARK = "SOAK"
"""The environment variable that all processes of a program inherit."""


class Awake:
    """A stopwatch that leaves out the time in which the whole machine was suspended. It must be read often."""

    def __init__(self) -> None:
        self._last, self._sum = time.monotonic(), 0.0

    def seconds(self) -> float:
        """Since it was made."""
        now = time.monotonic()
        self._sum += min(now - self._last, 1.0)
        self._last = now
        return self._sum


@dataclass(frozen=True)
class Program:
    """A command that runs.

    Attributes:
        process: the judge.
        mark: the value of ``MARK`` in all its processes.
        submission: what it scores.
        out: the folder of its report.
        said: the file of its messages.
        hits: the kinds of kills that have hit it.
    """

    process: subprocess.Popen
    mark: str
    submission: str
    out: Path
    said: Path
    hits: list[str] = field(default_factory=list)

    def processes(self) -> list[int]:
        """The ids of all its processes that have not ended."""
        return marked(self.mark)

    def by_role(self) -> dict[str, list[int]]:
        """Its processes by what they do: judge, server, worker, keeper, run."""
        judge = self.process.pid
        found = {pid: stat for pid in self.processes() if (stat := _stat(pid))}
        roles: dict[str, list[int]] = {role: [] for role in ("judge", "server", "worker", "keeper", "run")}
        for pid, (parent, session) in found.items():
            if pid == judge:
                roles["judge"].append(pid)
            elif b"forkserver" not in _read(pid, "cmdline"):
                continue  # What the submission started, and Python's resource tracker.
            elif parent == judge:
                roles["server"].append(pid)
            elif session != pid:
                roles["worker"].append(pid)
            elif parent in found and found[parent][1] == parent and parent != judge:
                roles["run"].append(pid)
            else:
                roles["keeper"].append(pid)
        return roles

    def seconds_until_gone(self, most: float = 20.0) -> float | None:
        """How long its processes take to end after the judge; None if some are left after ``most`` seconds."""
        awake = Awake()
        while self.processes():
            if awake.seconds() > most:
                return None
            time.sleep(0.01)
        return awake.seconds()


def start(submission: str, store: Path, out: Path, temporary: Path, mark: str) -> Program:
    """Start scoring a submission, in a session of its own.

    Args:
        submission: one of ``SUBMISSIONS``.
        store: where rows are kept.
        out: the folder of the report. What the program says goes to a file beside it.
        temporary: the folder for its temporary files.
        mark: a value that no other program has.
    """
    said = out.with_name(f"{out.name}-{mark}.txt")
    with said.open("wb") as messages:
        process = subprocess.Popen(
            command(submission, store, out),
            cwd=ROOT,
            env=os.environ | {MARK: mark, "TMPDIR": str(temporary), "COLUMNS": "300"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=messages,
            start_new_session=True,
        )
    return Program(process, mark, submission, out, said)


def command(submission: str, store: Path, out: Path) -> list[str]:
    """What a person would type."""
    options = ["--models", str(MODELS), "--device", "cpu", "--workers", "2", "--store", str(store), "--out", str(out)]
    # The machine may be suspended in the middle of a run, whose limit is a minute otherwise.
    return [sys.executable, "-m", "scoring", "score", submission, *options, "--limit", "3600", "--bank", "none"]


def marked(prefix: str) -> list[int]:
    """The processes whose mark starts so."""
    needle = f"\0{MARK}={prefix}".encode()
    return [int(pid) for pid in os.listdir("/proc") if pid.isdigit() and needle in b"\0" + _read(pid, "environ")]


def end(prefix: str) -> None:
    """Kill all processes whose mark starts so, until none is left."""
    while found := marked(prefix):
        for pid in found:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.05)


def describe(pid: int) -> str:
    """A process in a few words."""
    return f"{pid} ({_read(pid, 'cmdline').replace(bytes(1), b' ').decode(errors='replace')[:100].strip()})"


def _stat(pid: int) -> tuple[int, int] | None:
    """A process's parent and session; None if it has ended."""
    # The name, in parentheses, may hold anything.
    fields = _read(pid, "stat").rpartition(b")")[2].split()
    return (int(fields[1]), int(fields[3])) if fields and fields[0] != b"Z" else None


def _read(pid: int | str, name: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes()
    except OSError:
        return b""
