"""What finished repeats of a simulation add up to, kept in a small file."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Figures = NDArray[np.float64]
"""[E, J]: one for each number of examples and each thing that is judged."""

CHUNK = 20
"""Repeats that are made together, and lost together if the program is stopped."""

CHUNKS = ("scored", "judged")
"""The fields that list chunks."""


@dataclass
class Tally:
    """What the finished chunks of a setting add up to.

    Attributes:
        scored: the chunks whose scores are known.
        sums, squares: of these scores and differences.
        judged: the chunks whose intervals are known. Their truth is that of the scored chunks, which stay the same.
        covered: how many of these intervals cover the truth.
        widths: the sum of their widths.
    """

    scored: list[int]
    sums: Figures
    squares: Figures
    judged: list[int]
    covered: Figures
    widths: Figures

    @property
    def truth(self) -> Figures:
        """The mean scores and differences."""
        return self.sums / (len(self.scored) * CHUNK)

    @property
    def deviation(self) -> Figures:
        """The standard deviations of scores and differences."""
        repeats = len(self.scored) * CHUNK
        return np.sqrt((self.squares - repeats * self.truth**2) / (repeats - 1))

    def add_scores(self, chunk: int, sums: Figures, squares: Figures) -> None:
        """Add the scores of a chunk. They move the truth, so intervals must be judged again."""
        self.scored.append(chunk)
        self.sums, self.squares = self.sums + sums, self.squares + squares
        self.judged, self.covered, self.widths = [], np.zeros_like(sums), np.zeros_like(sums)

    def add_intervals(self, chunk: int, covered: Figures, widths: Figures) -> None:
        """Add the intervals of a chunk, which were judged by the truth."""
        self.judged.append(chunk)
        self.covered, self.widths = self.covered + covered, self.widths + widths


def read(path: Path, names: Iterable[str], shape: tuple[int, int]) -> dict[str, Tally]:
    """What is known of each of these settings; figures have this shape."""
    known = json.loads(path.read_text()) if path.is_file() else {}
    zeros = np.zeros(shape).tolist()
    nothing = {"scored": [], "sums": zeros, "squares": zeros, "judged": [], "covered": zeros, "widths": zeros}
    return {name: _tally(known.get(name, nothing)) for name in names}


def _tally(fields: dict[str, list]) -> Tally:
    return Tally(**{name: list(value) if name in CHUNKS else np.array(value) for name, value in fields.items()})


def write(path: Path, known: dict[str, Tally]) -> None:
    """Put what is known into a file."""
    content = {
        name: {field: value if field in CHUNKS else value.tolist() for field, value in vars(tally).items()}
        for name, tally in known.items()
    }
    unfinished = path.with_suffix(".part")
    unfinished.write_text(json.dumps(content) + "\n")
    unfinished.replace(path)
