"""What a run may do to files and to other processes: next to nothing, where Linux offers Landlock (since 5.13).

A process that entered the confinement reads the system's files and Python's, and writes to a folder of its own. It
neither reads nor changes anything else: no store, no data set, no home. It sends no signals to processes outside, does
not look into their memory, and opens no TCP connections, as far as the kernel's version of Landlock covers these.
No privileges are needed. See landlock(7).
"""

import ctypes
import os
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from scoring.untrusted.system_calls import refuse_unneeded

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
VERSION_FLAG, PATH_BENEATH = 1, 1
PR_SET_NO_NEW_PRIVS = 38
CLONE_NEWNS, CLONE_NEWUSER = 0x20000, 0x10000000
MS_NOSUID, MS_NODEV, MS_BIND, MS_REC, MS_PRIVATE = 2, 4, 0x1000, 0x4000, 0x40000

EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1, 2, 4, 8
TRUNCATE = 1 << 14
ON_FILES = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE
"""The rights that a rule for a single file may grant."""

FILE_RIGHTS = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 5: (1 << 16) - 1}
"""All rights on files that each version of Landlock knows; versions that are not listed add none."""

TCP_RIGHTS, SCOPES = 3, 3
"""Binding and connecting, since version 4; abstract sockets and signals, since version 6."""

READABLE = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/etc", "/proc", "/sys", "/dev")
DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")
SHARED_MEMORY = "/dev/shm"

MOUNT_SETATTR, AT_FDCWD, AT_RECURSIVE, READ_ONLY = 442, -100, 0x8000, 1
CAPABILITIES_VERSION_3 = 0x20080522

KIT = Path(__file__).resolve().parents[2]


class _Ruleset(ctypes.Structure):
    _fields_ = (("files", ctypes.c_uint64), ("network", ctypes.c_uint64), ("scoped", ctypes.c_uint64))


class _PathBeneath(ctypes.Structure):
    _pack_ = 1
    _layout_ = "ms"
    _fields_ = (("allowed", ctypes.c_uint64), ("folder", ctypes.c_int32))


def version() -> int:
    """The kernel's version of Landlock; 0 if it has none."""
    if sys.platform != "linux":
        return 0
    return max(_syscall(CREATE_RULESET, None, 0, VERSION_FLAG), 0)


def rules(writable: Iterable[str | Path]) -> int | None:
    """A confinement that ``enter`` takes: a file descriptor, or None if this system offers none.

    Args:
        writable: the folders that may be written.
    """
    if not (known := version()):
        return None
    every = max((right for since, right in FILE_RIGHTS.items() if since <= known))
    ruleset = _Ruleset(every, TCP_RIGHTS if known >= 4 else 0, SCOPES if known >= 6 else 0)
    descriptor = _syscall(CREATE_RULESET, ctypes.byref(ruleset), ctypes.sizeof(ruleset), 0)
    if descriptor < 0:
        return None
    of_python = {sys.prefix, sys.base_prefix, sys.exec_prefix, *(path for path in sys.path if path)} - {str(KIT)}
    for path in (*READABLE, *of_python):
        _allow(descriptor, path, EXECUTE | READ_FILE | READ_DIR)
    for path in DEVICES:
        _allow(descriptor, path, READ_FILE | WRITE_FILE)
    for folder in writable:
        _allow(descriptor, folder, every)
    return descriptor


def enter(confinement: int) -> None:
    """Confine this process, and all that it starts, for good. Raises ``OSError`` if that fails."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or _syscall(RESTRICT_SELF, confinement, 0):
        raise OSError(ctypes.get_errno(), "the run cannot be confined")
    # Landlock lets root change the clock, the flags of its files, and more. A run needs none of it.
    nothing = (ctypes.c_uint32 * 6)()
    if libc.capset((ctypes.c_uint32 * 2)(CAPABILITIES_VERSION_3, 0), nothing):
        raise OSError(ctypes.get_errno(), "the run cannot give up its capabilities")
    refuse_unneeded()


def with_own_mounts(folder: Path) -> bool:
    """Give this process, and all that it starts, a ``/dev/shm`` of its own; False where that is not permitted.

    Everything else but ``folder`` is read-only to them from then on: Landlock lets a process change the rights, times,
    owner and attributes of files that it may not write.
    """
    if sys.platform != "linux":
        return False
    # What is half done cannot be undone, so a child tries it first.
    if not (child := os.fork()):
        os._exit(not _make_mounts(folder))
    return os.waitpid(child, 0)[1] == 0 and _make_mounts(folder)


def _make_mounts(folder: Path) -> bool:
    libc = ctypes.CDLL(None, use_errno=True)
    user, group = os.getuid(), os.getgid()
    if libc.unshare(CLONE_NEWNS):
        # Only root may have file systems of its own, so become root of a namespace in which nothing else changes.
        if libc.unshare(CLONE_NEWUSER | CLONE_NEWNS):
            return False
        with suppress(OSError):
            Path("/proc/self/setgroups").write_text("deny")
        try:
            Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
            Path("/proc/self/gid_map").write_text(f"{group} {group} 1")
        except OSError:
            return False
    if libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None):
        return False
    own = os.fsencode(folder)
    if libc.mount(own, own, None, MS_BIND, None):
        return False
    # Linux can do this since 5.12.
    if not _set_mount(b"/", AT_RECURSIVE, READ_ONLY, 0) and _set_mount(own, 0, 0, READ_ONLY):
        return False
    return not libc.mount(b"tmpfs", SHARED_MEMORY.encode(), b"tmpfs", MS_NOSUID | MS_NODEV, None)


def _set_mount(path: bytes, flags: int, add: int, remove: int) -> int:
    """Change the attributes of a mount. Not 0 if that fails."""
    attributes = (ctypes.c_uint64 * 4)(add, remove, 0, 0)
    size = ctypes.c_size_t(ctypes.sizeof(attributes))
    return _syscall(MOUNT_SETATTR, AT_FDCWD, path, flags, ctypes.byref(attributes), size)


def _allow(ruleset: int, path: str | Path, rights: int) -> None:
    """Grant rights on a file, or on a folder and all that is in it. A path that does not exist needs none."""
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    if not os.path.isdir(path):
        rights &= ON_FILES
    rule = _PathBeneath(rights, descriptor)
    _syscall(ADD_RULE, ruleset, PATH_BENEATH, ctypes.byref(rule), 0)
    os.close(descriptor)


def _syscall(number: int, *arguments: object) -> int:
    return ctypes.CDLL(None, use_errno=True).syscall(number, *arguments)
