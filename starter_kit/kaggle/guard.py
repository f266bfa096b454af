"""Loaded first by a rehearsal's processes, as ``sitecustomize``: no network, no kit, a read-only input folder.

Where the operating system permits it, `rehearse.py` also keeps the network away and the input folder read-only by
namespaces. This guard is for machines without them, macOS among them. Imports the standard library only.
"""

import errno
import os
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

HIDDEN = ("starter_kit", "scoring", "submissions", "tests")
CONNECTS = ("socket.connect", "socket.getaddrinfo", "socket.sendto", "socket.gethostbyname")
CHANGES = ("os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.truncate", "os.symlink", "os.link")


class HiddenKit(MetaPathFinder):
    """Hides the packages of this kit, which are installed here but not on Kaggle."""

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        """Raise for modules of the kit; leave all others to the finders that follow."""
        if name.split(".")[0] in HIDDEN:
            raise ModuleNotFoundError(f"No module named {name!r}: Kaggle does not have this kit", name=name)
        return None


def refuse(event: str, arguments: tuple) -> None:
    """An audit hook: raise what Kaggle would for a connection or for a change of the input folder."""
    if event in CONNECTS:
        address = arguments[1] if event != "socket.getaddrinfo" and len(arguments) > 1 else arguments[0]
        # The address of a socket between processes of this machine is a path.
        if not isinstance(address, str | bytes) or event in ("socket.getaddrinfo", "socket.gethostbyname"):
            raise OSError(errno.ENETUNREACH, "Network is unreachable: a submission's run on Kaggle has no internet")
    elif event == "open":
        _, mode, flags = arguments
        if flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT) or (isinstance(mode, str) and set(mode) & set("wax+")):
            _refuse_input(arguments[0])
    elif event in CHANGES:
        for path in arguments[:2]:
            _refuse_input(path)


def _refuse_input(path: object) -> None:
    """Raise ``OSError`` if the path lies in the input folder."""
    root = os.environ.get("REHEARSAL_ROOT")
    if root and isinstance(path, str | bytes | os.PathLike):
        where = os.path.realpath(os.fsdecode(path))
        if where.startswith(os.path.realpath(os.path.join(root, "input")) + os.sep):
            raise OSError(errno.EROFS, "Read-only file system: on Kaggle the input folder cannot be written", where)


if "REHEARSAL_ROOT" in os.environ:
    sys.meta_path.insert(0, HiddenKit())
    sys.addaudithook(refuse)
