"""The numbers that the rules set, and where things are in a run of the notebook."""


# %% [markdown]
# ## The competition's protocol
# The numbers that its rules set. In a rehearsal at home `REHEARSAL_ROOT` stands for `/kaggle` and
# `REHEARSAL_MODELS` for 512; on Kaggle neither is set.

# %%
import time
from dataclasses import dataclass, field
from pathlib import Path

import torch

OFFICIAL_MODELS = 512
CLASSES = 10
TIME_BUDGET = 8 * 3600.0
TIME_TO_ZIP = 15 * 60.0
DISK_BUDGET = 20e9
FIRST_CHECK = 3
CHECK_EVERY = 32
SEED = 0


@dataclass(frozen=True)
class Run:
    """One run of this notebook: where its things are, how many models it makes, when it began."""

    root: Path
    competition: str
    models: int = OFFICIAL_MODELS
    rehearsal: bool = False
    half_precision: bool = True
    time_budget: float = TIME_BUDGET
    disk_budget: float = DISK_BUDGET
    started: float = field(default_factory=time.monotonic)
    device: str = "cuda" if torch.cuda.is_available() else "cpu"

    @property
    def input(self) -> Path:
        """The competition's data, at the old place or the new one."""
        places = [self.root / "input" / self.competition, self.root / "input/competitions" / self.competition]
        for place in places:
            if place.is_dir():
                return place
        raise FileNotFoundError(
            f"Expected the competition's data in {places[0]} or {places[1]}, found neither. On the notebook's page, "
            f"choose Add Input and the competition {self.competition}."
        )

    @property
    def working(self) -> Path:
        """What is kept of the run: the submission."""
        return self.root / "working"

    @property
    def temporary(self) -> Path:
        """Checkpoints lie outside the working folder, which they would fill."""
        return self.root / "tmp"
