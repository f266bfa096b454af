"""Commands that run a program in bubblewrap: no network, no other processes, and next to no files.

Of the file system, it sees only the system's programs, Python with its packages, and the paths that it is given.
"""

import os
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

FOLDERS = ("/bin", "/sbin", "/lib", "/lib32", "/lib64")
READABLE = ("/usr", "/etc/ld.so.cache", "/etc/alternatives")
IN_MEMORY = ("/tmp", "/dev/shm")
"""Folders of its own, in memory."""


def walls(environment: Mapping[str, str], size: int) -> list[str]:
    """The start of a command that bubblewrap runs; what else it sees, and the command itself, follow.

    Args:
        environment: all of it.
        size: bytes that may be written to each of the folders in memory.
    """
    options = ["bwrap", "--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts", "--unshare-cgroup-try"]
    options += ["--die-with-parent", "--new-session", "--cap-drop", "ALL", "--clearenv"]
    for name, value in environment.items():
        options += ["--setenv", name, value]
    # First, because Python may lie in /tmp.
    options += ["--proc", "/proc", "--dev", "/dev"]
    for folder in IN_MEMORY:
        options += ["--perms", "0700", "--size", str(size), "--tmpfs", folder]
    for folder in FOLDERS:
        if Path(folder).is_symlink():
            options += ["--symlink", os.readlink(folder), folder]
        else:
            options += ["--ro-bind-try", folder, folder]
    of_python = dict.fromkeys(Path(place) for place in (sys.base_prefix, sys.base_exec_prefix, sys.prefix))
    options += folders_above(of_python)
    for place in (*READABLE, *map(str, of_python)):
        options += ["--ro-bind-try", place, place]
    return options


def folders_above(paths: Iterable[Path]) -> list[str]:
    """Options that make the folders above some paths such that everybody may enter them.

    Those that bubblewrap makes by itself have the rights of the folders outside, and a home lets nobody in.
    """
    folders = dict.fromkeys(above for path in paths for above in list(reversed(path.parents))[1:])
    return [option for folder in folders for option in ("--perms", "0755", "--dir", str(folder))]
