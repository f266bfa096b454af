"""Run a notebook from top to bottom, as a program of its own: ``execute.py NOTEBOOK``.

Shows what its cells print while they do, writes what came of it back, and ends with 1 if a cell failed. Imports
nothing of this repository, which a rehearsal hides.
"""

import asyncio
import os
import sys
from pathlib import Path
from typing import Any

import nbformat
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, DeadKernelError


class ShowingClient(NotebookClient):
    """Passes on what cells print at once; a run can take hours."""

    def output(self, outs: list, msg: dict, display_id: str | None, cell_index: int) -> Any:
        """A message of a cell that runs."""
        if msg["msg_type"] == "stream":
            print(msg["content"]["text"], end="", flush=True)
        return super().output(outs, msg, display_id, cell_index)


def main(path: Path) -> int:
    """The exit code."""
    notebook = nbformat.read(path, as_version=4)
    # Files instead of ports: there is no network, not even to the machine itself.
    sockets = f"{os.environ['JUPYTER_RUNTIME_DIR']}/socket"
    kernel = AsyncKernelManager(kernel_name="python3", transport="ipc", ip=sockets)
    client = ShowingClient(notebook, timeout=None, km=kernel)
    try:
        client.execute()
    except CellExecutionError:
        return 1
    except DeadKernelError:
        print("The notebook's process died: out of memory?", file=sys.stderr)
        return 1
    finally:
        nbformat.write(notebook, path)
    return 0


if __name__ == "__main__":
    asyncio.set_event_loop(asyncio.new_event_loop())
    sys.exit(main(Path(sys.argv[1])))
