"""Models that were made elsewhere, on Kaggle or in a rehearsal, and are here as files."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import numpy as np
import torch

from scoring.checkpoints import Checkpoints
from scoring.errors import SubmissionError
from scoring.evaluate import answers, logits_of_one
from scoring.jobs.setting import Setting
from scoring.jobs.training import weights_in
from scoring.store import Row


@dataclass(frozen=True, eq=False)
class Reading:
    """The answers of models in a zip or a folder, read file by file: a worker holds one of them at a time."""

    setting: Setting
    checkpoints: Checkpoints
    original: Row
    size: ClassVar[int] = 1

    def prepare(self) -> Callable[[int], Row]:
        """The function that reads checkpoint ``index`` and asks the model for its answers."""
        task = self.setting.load()
        original = weights_in(self.original)

        def run(index: int) -> Row:
            net = task.network()
            net.load_state_dict(self.checkpoints.state(index, original))
            try:
                row = answers(task, partial(logits_of_one, net.to(torch.device(self.setting.device))))
            except ValueError as error:
                raise SubmissionError(
                    f"{self.checkpoints.path}, {self.checkpoints.entries[index]}: {error}."
                ) from error
            # Who made it, with which seed and in what time, a file could only claim.
            return row | {"seconds": np.array([np.nan]), "seeds": np.zeros(1, np.uint64)}

        return run
