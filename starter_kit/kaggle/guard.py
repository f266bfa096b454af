"""What a rehearsal's processes load first, as ``sitecustomize``: no network, no packages of ours, a read-only input.

The network and the input folder are guarded by the kernel of the machine too where it lets us (`rehearse.py`). This
is for the machines where it does not. Imports the standard library alone.
"""

import os
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

OURS = ("starter_kit", "scoring", "submissions", "tests")
CONNECTS = ("socket.connect", "socket.getaddrinfo", "socket.sendto", "socket.gethostbyname")
CHANGES = ("os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.truncate", "os.symlink", "os.link")


class NotThere(MetaPathFinder):
    """Hides the packages of this kit, which are installed here and are not on Kaggle."""

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        """Nothing for any module, and an error for ours."""
        if name.split(".")[0] in OURS:
            raise ModuleNotFoundError(f"No module named {name!r}: on Kaggle there is nothing of this kit", name=name)
        return None


def refuse(event: str, arguments: tuple) -> None:
    """An audit hook: raise what Kaggle would for a connection or for a change of the input folder."""
    if event in CONNECTS:
        address = arguments[1] if event != "socket.getaddrinfo" and len(arguments) > 1 else arguments[0]
        # Sockets of the machine's own processes have a path for an address.
        if not isinstance(address, str | bytes) or event in ("socket.getaddrinfo", "socket.gethostbyname"):
            raise OSError(101, "Network is unreachable: on Kaggle the submission's run has no internet")
    elif event == "open":
        _, mode, flags = arguments
        if flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT) or (isinstance(mode, str) and set(mode) & set("wax+")):
            _refuse_input(arguments[0])
    elif event in CHANGES:
        for path in arguments[:2]:
            _refuse_input(path)


def _refuse_input(path: object) -> None:
    root = os.environ.get("REHEARSAL_ROOT")
    if root and isinstance(path, str | bytes | os.PathLike):
        where = os.path.realpath(os.fsdecode(path))
        if where.startswith(os.path.realpath(os.path.join(root, "input")) + os.sep):
            raise OSError(30, "Read-only file system: on Kaggle nobody writes to the input folder", where)


if "REHEARSAL_ROOT" in os.environ:
    sys.meta_path.insert(0, NotThere())
    sys.addaudithook(refuse)
