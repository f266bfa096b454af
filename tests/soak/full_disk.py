"""A disk that is full: the program says so, loses nothing, and goes on when there is room.

The disk is a small file system in memory, mounted where nobody else sees it. It grows each time that it was full.
"""

import json
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

from tests.soak.program import MARK, ROOT, SUBMISSIONS, command
from tests.soak.rows import rows_in

NAMESPACES = (["unshare", "--user", "--map-root-user", "--mount"], ["unshare", "--mount"])
"""How to mount something for oneself: as anybody, and as root where that is not allowed to others."""

LEAST, MOST = 20, 700
"""KiB that the disk grows by each time; it must hold some two megabytes in the end."""


def full_disk(folder: Path, seed: int, mark: str) -> dict | None:
    """Run the program on a disk that is full again and again.

    Args:
        folder: an empty one. The store is copied to ``store`` in it, and the report to ``report``.
        seed: of the disk's sizes.
        mark: for all processes.

    Returns:
        How often the disk was ``full``, and what was ``wrong``, one sentence each; None if this machine does not allow
        a file system to be mounted.
    """
    for namespace in NAMESPACES:
        try:
            allowed = subprocess.run([*namespace, "true"], capture_output=True).returncode == 0
        except FileNotFoundError:
            return None
        if allowed:
            own = [*namespace, sys.executable, "-m", "tests.soak.full_disk", str(folder), str(seed)]
            environment = os.environ | {MARK: mark, "COLUMNS": "300"}
            done = subprocess.run(
                own, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, start_new_session=True
            )
            if done.returncode:
                return {"full": 0, "wrong": [f"the test of a full disk ended with exit code {done.returncode}"]}
            return json.loads(done.stdout)
    return None


def _fill(folder: Path, seed: int) -> dict:
    """Inside the namespace."""
    moments = random.Random(seed)
    disk = folder / "disk"
    disk.mkdir()
    size, full, wrong = 4, 0, []
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}k", "tmpfs", str(disk)], check=True)
    store, report = disk / "store", disk / "report"
    before: dict = {}
    while True:
        done = subprocess.run(command(SUBMISSIONS[1], store, report), cwd=ROOT, capture_output=True, text=True)
        rows = rows_in(store)
        wrong += [f"{name}: lost or changed on a full disk" for name, row in before.items() if rows.get(name) != row]
        before = rows
        if done.returncode == 0:
            break
        full += 1
        told = "Cannot write" in done.stderr and "No space left on device. Make room" in done.stderr
        if done.returncode != 1 or not told or "Traceback" in done.stderr:
            wrong.append(
                f"on a full disk of {size} KiB the program ended with {done.returncode}: {done.stderr[-2000:]}"
            )
        if full == 100:
            wrong.append("the disk was full a hundred times")
            return {"full": full, "wrong": wrong}
        size += moments.randint(LEAST, MOST)
        subprocess.run(["mount", "-o", f"remount,size={size}k", str(disk)], check=True)
    for kept in (store, report):
        shutil.copytree(kept, folder / kept.name)
    return {"full": full, "wrong": wrong}


if __name__ == "__main__":
    print(json.dumps(_fill(Path(sys.argv[1]), int(sys.argv[2]))))
