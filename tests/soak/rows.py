"""What must not get lost: every row that was complete once, with the bits of a run that nobody disturbed."""

import hashlib
import json
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from scoring.running.store import Rows

TIMES = ("seconds", "retraining_seconds")
"""The arrays that no two runs share."""


def arrays_in(path: Path) -> dict[str, bytes] | None:
    """The bits of a row, without times, by name; None if it is damaged."""
    index = int(path.stem)
    found, _ = Rows(path.parent, (path.parent / "key.json").read_text()).read([index])
    return bits(found[index]) if found else None


def bits(arrays: Mapping[str, NDArray]) -> dict[str, bytes]:
    """Arrays without times, by name and type."""
    return {f"{name} {a.dtype} {a.shape}": a.tobytes() for name, a in arrays.items() if name not in TIMES}


def rows_in(store: Path) -> dict[tuple[str, str], dict[str, bytes] | None]:
    """All rows of a store by pool and file name. The digest in a pool's folder is no part of its name."""
    return {(_pool(path), path.name): arrays_in(path) for path in store.glob("*/*.row")}


def report_in(folder: Path) -> dict[str, object]:
    """A report without its times: the outputs of both pools, bit by bit, and the figures."""
    record = json.loads((folder / "report.json").read_text())
    del record["time"], record["notes"], record["retrained"]["seconds"]
    pools = {name: bits(np.load(folder / f"{name}.npz")) for name in ("unlearned", "retrained")}
    return {"figures": record, "outputs": pools}


@dataclass
class Ledger:
    """A store, and what has been seen in it.

    Attributes:
        store: its folder.
        expected: the rows of the undisturbed run, as ``rows_in`` gives them.
        seen: the digest of each complete row, by its path.
        damaged: the digests of those that were damaged on purpose and are not made again yet.
        removed: those that were removed on purpose and are not made again yet.
        made_again: how many of the removed ones were made again.
    """

    store: Path
    expected: dict[tuple[str, str], dict[str, bytes] | None]
    seen: dict[Path, str] = field(default_factory=dict)
    damaged: dict[Path, str] = field(default_factory=dict)
    removed: set[Path] = field(default_factory=set)
    made_again: int = 0

    def complete(self) -> set[Path]:
        """The rows that are there at this moment, apart from those damaged on purpose."""
        return set(self.store.glob("*/*.row")) - self.damaged.keys()

    def check(self, there: set[Path] = frozenset()) -> tuple[list[Path], list[str]]:
        """Look at all rows.

        Args:
            there: rows that were complete a moment ago, perhaps not yet seen.

        Returns:
            The damaged rows that have been made again since the last time; and what is wrong, one sentence each: a row
            is lost, was written twice, or has other bits.
        """
        wrong, repaired = [], []
        found = set(self.store.glob("*/*.row"))
        for path in (self.seen.keys() | there) - found:
            wrong.append(f"{path} is lost")
            self.seen.pop(path, None)
        for path in sorted(found):
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            if digest in (self.seen.get(path), self.damaged.get(path)):
                continue
            if path in self.seen:
                wrong.append(f"{path} was complete and has been written again")
            arrays = arrays_in(path)
            if arrays is None:
                wrong.append(f"{path} is damaged")
            elif arrays != self.expected.get((_pool(path), path.name)):
                wrong.append(f"{path} has other bits than the row of the undisturbed run")
            self.seen[path] = digest
            if self.damaged.pop(path, None):
                repaired.append(path)
            elif path in self.removed:
                self.made_again += 1
            self.removed.discard(path)
        return repaired, wrong

    def remove(self, moments: random.Random) -> int:
        """Remove a random part of the rows, so that there is work again, and give their number.

        No program may be running.
        """
        ceilings = sorted(self.store.glob("ceiling-*"), key=lambda folder: folder.stat().st_mtime)
        before = len(self.removed)
        for folder in self.store.iterdir():
            # Each time that retrained models are made again their times differ, and the ceiling gets another folder.
            share = 1.0 if folder in ceilings[:-1] else moments.choice([0.0, 0.3, 1.0]) * moments.random()
            for path in sorted(folder.glob("*.row")):
                if path not in self.damaged and moments.random() <= share:
                    path.unlink()
                    self.seen.pop(path, None)
                    self.removed.add(path)
        return len(self.removed) - before

    def damage(self, moments: random.Random, most: int) -> int:
        """Flip one random bit in each of some random rows, and give their number. No program may be running."""
        rows = sorted(self.complete())
        chosen = moments.sample(rows, min(most, len(rows)))
        for path in chosen:
            content = bytearray(path.read_bytes())
            content[moments.randrange(len(content))] ^= 1 << moments.randrange(8)
            path.write_bytes(content)
            self.seen.pop(path, None)
            self.damaged[path] = hashlib.sha256(content).hexdigest()
        return len(chosen)


def _pool(row: Path) -> str:
    return row.parent.name.rsplit("-", 1)[0]
