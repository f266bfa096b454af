"""Models that were made elsewhere, on Kaggle or in a rehearsal, and are here as files."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from scoring.jobs.evaluation import answer_of_one, row_of
from scoring.jobs.job import Row
from scoring.jobs.original import Original
from scoring.jobs.setting import SettingJob
from scoring.untrusted.checkpoints import Checkpoints
from starter_kit.errors import SubmissionError
from starter_kit.training import Report, silent


@dataclass(frozen=True, eq=False)
class CheckpointJob(SettingJob):
    """The answers of models in a zip or a folder. A worker holds one of them at a time."""

    checkpoints: Checkpoints
    original: Original

    def key(self) -> dict[str, str]:
        """The setting, the files and the original's weights."""
        return self.setting.key | {"checkpoints": self.checkpoints.sha256, "original": self.original.sha256}

    def prepare(self, report: Report = silent) -> Callable[[int], Row]:
        """The function that reads checkpoint ``index`` and evaluates the model."""
        task = self.setting.load()

        def run(index: int) -> Row:
            net = task.network()
            net.load_state_dict(self.checkpoints.state(index, self.original.weights))
            net = net.to(torch.device(self.setting.device))
            try:
                # A file could only claim its seed and its time.
                return row_of(task, answer_of_one(net), [0], np.nan, net)
            except ValueError as error:
                raise SubmissionError(
                    f"{self.checkpoints.path}, {self.checkpoints.entries[index]}: {error}."
                ) from error

        return run
