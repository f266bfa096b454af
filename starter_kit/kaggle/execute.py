"""Run a notebook from top to bottom in a process of its own: ``execute.py NOTEBOOK``.

Prints the output of the cells as it appears, writes the executed notebook back, and exits with 1 if a cell failed.
Imports nothing of this repository, because a rehearsal hides it.
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


class PrintingClient(NotebookClient):
    """Prints the output of cells at once, because a run can take hours."""

    def output(self, outs: list, msg: dict, display_id: str | None, cell_index: int) -> Any:
        """Handle an output message of the running cell."""
        if msg["msg_type"] == "stream":
            print(msg["content"]["text"], end="", flush=True)
        return super().output(outs, msg, display_id, cell_index)


def main(path: Path) -> int:
    """Run the notebook at ``path``, and return the exit code."""
    notebook = nbformat.read(path, as_version=4)
    # Sockets in files instead of ports: there is no network, not even within the machine.
    sockets = f"{os.environ['JUPYTER_RUNTIME_DIR']}/socket"
    kernel = AsyncKernelManager(kernel_name="python3", transport="ipc", ip=sockets)
    client = PrintingClient(notebook, timeout=None, km=kernel)
    try:
        client.execute()
    except CellExecutionError:
        return 1
    except DeadKernelError:
        print("The notebook's process died. It may have run out of memory.", file=sys.stderr)
        return 1
    finally:
        nbformat.write(notebook, path)
    return 0


if __name__ == "__main__":
    asyncio.set_event_loop(asyncio.new_event_loop())
    sys.exit(main(Path(sys.argv[1])))
