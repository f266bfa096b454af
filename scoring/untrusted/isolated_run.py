"""One run in a process of its own, from both ends: the keeper starts and watches it; the fork confines itself and runs.

Both send messages: one byte for the kind, eight for the length, and the content. What a run sends is never unpickled.
"""

import faulthandler
import multiprocessing
import multiprocessing.synchronize
import os
import signal
import socket
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection, wait
from pathlib import Path
from time import perf_counter, sleep
from typing import IO, Literal

from scoring.untrusted import confinement
from scoring.untrusted.ended import Ended
from scoring.untrusted.handed import Call, Handed
from scoring.untrusted.processes import end_descendants, end_with, use_gpu
from scoring.untrusted.torch_state import remembered
from starter_kit.errors import SubmissionError, out_of_gpu_memory

FRESH, AGAIN = b"n", b"a"
"""Kinds of requests: to a call that is made for it, and to the one that answered before."""

READY, FAULT, GO = b"r", b"f", b"g"
DONE, ERROR, OUT_OF_GPU_MEMORY = b"d", b"e", b"m"
HEADER = 9
LONGEST_ERROR = 100_000
"""Bytes of an error's text."""

LOOK_EVERY, LONGEST_LOOK = 0.1, 1.0
"""Seconds between looks at whether a silent run is still alive, and how many a look can count for."""

CUT_OFF = 79
"""A run's exit code when it cannot send its answer."""

TO_BE_REAPED = 1.0
"""Seconds that a killed run has to end before all that descends from it is looked for."""

TO_SAY_WHERE = 0.2
"""Seconds that a run past its limit has to write down where it is."""


class Confined:
    """The folder that the runs of a keeper may write, and the rules that keep them to it."""

    def __init__(self, folder: Path, walled: bool = False) -> None:
        self.folder = folder
        self.own = [self.folder]
        if walled or (confinement.version() and confinement.with_own_mounts(folder)):
            self.own.append(Path(confinement.SHARED_MEMORY))
        self.rules = confinement.rules(self.own)

    def enter(self) -> None:
        """Confine this process, whose temporary folder and home the folder becomes."""
        os.chdir(self.folder)
        os.environ |= {"TMPDIR": str(self.folder), "HOME": str(self.folder)}
        tempfile.tempdir = None
        # Loaders with processes exchange their batches here. What is set is the folder of the process that judges.
        multiprocessing.current_process()._config.pop("tempdir", None)  # type: ignore[attr-defined]
        if self.rules is None:
            return
        if len(self.own) == 1:
            multiprocessing.synchronize.SemLock.__init__ = _no_shared_memory  # type: ignore[method-assign]
        confinement.enter(self.rules)

    def wipe(self) -> None:
        """Remove what a run left, so that the next one does not find it."""
        for folder in self.own:
            folder.mkdir(exist_ok=True)
            folder.chmod(0o700)
            if left := [str(path) for path in folder.iterdir()]:
                # Python's own functions do not remove folders nested a thousand deep, or without rights.
                # chmod follows the links that it is given, and a run may have left some; it follows none that it finds.
                subprocess.run(["chmod", "-R", "u+rwx", "--", str(folder)], stderr=subprocess.DEVNULL)
                subprocess.run(["rm", "-rf", "--", *left], stderr=subprocess.DEVNULL)


def _no_shared_memory(*_: object, **__: object) -> None:
    """In the place of what a loader's processes need first, which would raise "Permission denied"."""
    raise RuntimeError("on this machine, a run cannot share memory with its own worker processes: use num_workers=0")


class _Stopped(Exception):  # noqa: N818
    """A run that sends nothing more, and why."""

    def __init__(self, how: Literal["ended", "limit", "silence", "fault"]) -> None:
        super().__init__(how)
        self.how: Literal["ended", "limit", "silence", "fault"] = how


@dataclass
class Run:
    """The process of one run, or on a GPU of many, as its keeper sees it."""

    process: int
    connection: socket.socket
    crash: IO[bytes]
    status: int | None = None
    left: float = 0.0

    def serve(self, request: bytes, limit: float, fresh: bool, most: int, worker: Connection) -> Ended:
        """Send it a request, and wait until it has answered, is past its limit, or ends."""
        self.left = limit
        try:
            start = perf_counter()
            self.connection.sendall(_message(FRESH if fresh else AGAIN, request))
            if fresh:
                if self._receive(1, worker) == FAULT:
                    return self._ended(_Stopped("fault"))
                self.left, start = limit, perf_counter()
                self.connection.sendall(GO)
            header = self._receive(HEADER, worker)
            kind, length = header[:1], int.from_bytes(header[1:], "little")
            if kind not in (DONE, ERROR, OUT_OF_GPU_MEMORY):
                return Ended("silence")
            if length > (most if kind == DONE else LONGEST_ERROR):
                return Ended("size")
            content = self._receive(length, worker)
        except (BrokenPipeError, ConnectionResetError):
            return self._ended(_Stopped("silence"))
        except _Stopped as stopped:
            return self._ended(stopped)
        seconds = perf_counter() - start
        if kind == DONE:
            return Ended("done", bytes(content), seconds)
        return Ended("error" if kind == ERROR else "gpu memory", bytes(content), seconds)

    def _receive(self, length: int, worker: Connection) -> bytearray:
        """So many bytes of the run. Raises ``_Stopped``, and ``EOFError`` if the worker ends."""
        content = bytearray(length)
        view, got = memoryview(content), 0
        while got < length:
            if self.left <= 0:
                raise _Stopped("limit")
            began = perf_counter()
            ready = wait([self.connection, worker], min(self.left, LOOK_EVERY))
            # A machine that was suspended meanwhile costs a run no more than this.
            self.left -= min(perf_counter() - began, LONGEST_LOOK)
            if worker in ready:
                # It asks for nothing while it waits for an answer.
                raise EOFError
            if self.connection in ready:
                count = self.connection.recv_into(view[got:])
                if not count:
                    raise _Stopped("silence")
                got += count
            elif self._has_ended():
                raise _Stopped("ended")
        return content

    def _has_ended(self) -> bool:
        if self.status is None:
            process, status = os.waitpid(self.process, os.WNOHANG)
            self.status = os.waitstatus_to_exitcode(status) if process else None
        return self.status is not None

    def _ended(self, stopped: _Stopped) -> Ended:
        """How a run ended that sent no answer."""
        if stopped.how == "limit":
            os.kill(self.process, signal.SIGUSR1)
        # The connection of a process that ends is closed a little before it has ended.
        deadline = perf_counter() + (TO_SAY_WHERE if stopped.how == "limit" else 2.0)
        while not self._has_ended() and perf_counter() < deadline:
            sleep(0.01)
        self.crash.seek(0)
        where = self.crash.read(LONGEST_ERROR).decode(errors="replace")
        if stopped.how in ("limit", "fault"):
            return Ended(stopped.how, where=where)
        if self.status in (None, CUT_OFF):
            return Ended("silence")
        return Ended("signal" if self.status < 0 else "exit", code=abs(self.status), where=where)

    def end(self) -> None:
        """End it with all that descends from it."""
        self.connection.close()
        self.crash.close()
        if not self._has_ended():
            # Its group first, which is all that can be found where orphans are not adopted.
            for kill in (os.killpg, os.kill):
                with suppress(ProcessLookupError, PermissionError):
                    kill(self.process, signal.SIGKILL)
        # A descendant that traces the run keeps it from being reaped, until it is killed itself.
        deadline = perf_counter() + TO_BE_REAPED
        while not self._has_ended() and perf_counter() < deadline:
            sleep(0.0002)
        end_descendants()


def start(handed: Handed, make: Callable[[], Call], confined: Confined | None, number: int, folder: Path) -> Run:
    """Fork a process for a run, or for many."""
    ours, theirs = socket.socketpair()
    crash = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115  It is open as long as the run.
    keeper = os.getpid()
    if process := os.fork():
        theirs.close()
        return Run(process, ours, crash)
    code = CUT_OFF
    try:
        os.setsid()
        end_with(keeper)
        _live(handed, make, confined, number, theirs, crash)
        code = 0
    finally:
        os._exit(code)


def _live(
    handed: Handed,
    make: Callable[[], Call],
    confined: Confined | None,
    number: int,
    connection: socket.socket,
    crash: IO[bytes],
) -> None:
    """A run's life, in its own process: make ready, wait for the start, run, answer."""
    try:
        faulthandler.enable(crash, all_threads=False)
        faulthandler.register(signal.SIGUSR1, crash, all_threads=False)
        # As on Kaggle, where a loader's processes are forks and know the classes that a submission defines.
        if sys.platform == "linux":
            multiprocessing.set_start_method("fork", force=True)
        sys.argv = [str(handed.submission.path)]
        if confined:
            confined.enter()
        _lead_nowhere(keep={connection.fileno(), crash.fileno()})
        use_gpu(handed.device, number)
        restore = remembered()
        while header := _received(connection, HEADER):
            request = _received(connection, int.from_bytes(header[1:], "little"))
            if header[:1] == FRESH:
                # On a GPU another run was here.
                restore()
                call = make()
                connection.sendall(READY)
                connection.recv(1)
            connection.sendall(_message(*_outcome(handed, partial(call, request))))
    except Exception:
        # What a submission raises does not get here, so this is a fault of the kit or of the machine.
        crash.write(traceback.format_exc().encode())
        crash.flush()
        connection.sendall(FAULT)


def _message(kind: bytes, content: bytes) -> bytes:
    return kind + len(content).to_bytes(HEADER - 1, "little") + content


def _received(connection: socket.socket, length: int) -> bytes:
    """So many bytes of the keeper, or none if it has ended."""
    found = bytearray()
    while len(found) < length and (piece := connection.recv(length - len(found))):
        found += piece
    return bytes(found) if len(found) == length else b""


def _lead_nowhere(keep: set[int]) -> None:
    """Let all files and pipes that this process inherited, but these, lead nowhere: they lead to the judge."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for name in os.listdir("/dev/fd"):
        if (descriptor := int(name)) not in keep | {nowhere}:
            with suppress(OSError):
                os.dup2(nowhere, descriptor)


def _outcome(handed: Handed, call: Callable[[], bytes]) -> tuple[bytes, bytes]:
    """What to send of a run: what it was asked for, or the text of what it raised."""
    try:
        return DONE, call()
    except SubmissionError as error:
        return ERROR, str(error).encode(errors="backslashreplace")[-LONGEST_ERROR:]
    except BaseException as error:  # KeyboardInterrupt and exceptions of its own kind are its faults too.
        # There is such an error for GPUs alone, so on a CPU the submission itself raised it.
        on_gpu = out_of_gpu_memory(error) and handed.device != "cpu"
        try:
            text = handed.submission.explain(error).encode(errors="backslashreplace")
        except BaseException:  # An error can be made such that Python cannot show it.
            text = f"an error that cannot be shown, of type {type(error).__name__}".encode(errors="backslashreplace")
        return OUT_OF_GPU_MEMORY if on_gpu else ERROR, text[-LONGEST_ERROR:]
