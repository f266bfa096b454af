"""The constants that the rules fix, and the folders of a run of the notebook."""


# %% [markdown]
# ## The competition's protocol
# The constants that the competition's rules fix. In a local rehearsal, `REHEARSAL_ROOT` replaces `/kaggle` and
# `REHEARSAL_MODELS` replaces 512; neither is set on Kaggle.

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
    """One run of this notebook: its folders, the number of models, its budgets in seconds and bytes, its start."""

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
        """The competition's data, at Kaggle's old or new location."""
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
        """The folder that Kaggle keeps after the run. The submission goes here."""
        return self.root / "working"

    @property
    def temporary(self) -> Path:
        """The folder of the checkpoints, which would fill the working folder."""
        return self.root / "tmp"
