"""Unlearned models: what a submission makes of the original model of the task's recipe."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from torch import Tensor

from scoring.jobs.evaluation import answer_of_one, row_of
from scoring.jobs.job import Row
from scoring.jobs.original import Original
from scoring.jobs.setting import SettingJob
from scoring.jobs.stopwatch import is_timed, stopwatch
from scoring.untrusted.ended import Ended, blame
from scoring.untrusted.model_info import ModelInfo, unpacked
from scoring.untrusted.sandbox import InPlace, Sandbox, repeated
from scoring.untrusted.submission import Submission
from scoring.untrusted.unlearning import Unlearning
from scoring.untrusted.weights import weights_in_safetensors
from starter_kit.errors import SubmissionError
from starter_kit.training import Report, silent


@dataclass(frozen=True, eq=False)
class UnlearnedJob(SettingJob):
    """A submission's runs, each on a copy of the original model.

    A fresh network with the weights that a run left is judged, as on Kaggle, where only a checkpoint is handed in.

    Attributes:
        submission: the file to run.
        original: the original that all runs start from.
        limit: the seconds that a run may take.
        isolated: whether runs are made in a sandbox. Rows of both kinds are kept apart.
        sandbox: where runs are made; None for this very process.
    """

    submission: Submission
    original: Original
    limit: float
    isolated: bool
    sandbox: Sandbox | None = None
    shares_gpu: ClassVar[bool] = True

    def key(self) -> dict[str, str]:
        """The setting, the submission's source, the original's weights, and whether runs are isolated."""
        of_submission = {"submission": self.submission.sha256, "original": self.original.sha256}
        return self.setting.key | of_submission | {"isolated": str(self.isolated)}

    @property
    def handed(self) -> Unlearning:
        """What each run gets."""
        task = self.setting.task
        sets = (task.retain, task.forget_as_given, task.validation)
        return Unlearning(self.submission, task.network, self.original.weights, *sets, device=self.setting.device)

    def within(self, sandbox: Sandbox) -> "UnlearnedJob":
        """The same job with a sandbox."""
        return replace(self, sandbox=sandbox)

    def prepare(self, report: Report = silent) -> Callable[[int], Row]:
        """The function that runs the submission with the seed of ``index`` and evaluates the model."""
        setting = self.setting
        task = setting.load()
        time_retraining = stopwatch(setting, task)
        place = self.sandbox or InPlace(self.handed)
        # One network serves all runs: loading replaces all of its state, and a ResNet-18 takes 0.3 s to make.
        net = task.network().to(setting.device)

        def run(index: int) -> Row:
            seed, where = setting.seed_of("unlearned", index), f"in run {index}"
            ended = repeated(lambda: place.ask(seed.to_bytes(8, "little"), self.limit))
            if ended.how != "done":
                error = blame(ended, self.submission, where, self.limit)
                if task.request:
                    error.add_note("`forget` is empty on this task: forget.dataset.request says what to forget.")
                raise error
            info, weights = self._left_by(ended, where)
            net.load_state_dict(weights)
            try:
                row = row_of(task, answer_of_one(net), [seed], ended.seconds, net)
            except ValueError as error:
                raise SubmissionError(f"{self.submission.path} failed {where}: {error}.") from error
            retraining = time_retraining() if is_timed(index) and not task.why_no_retrained else np.nan
            return row | {"retraining_seconds": np.array([retraining]), "info": np.array(info.to_bytes().decode())}

        return run

    def _left_by(self, ended: Ended, where: str) -> tuple[ModelInfo, dict[str, Tensor]]:
        """What the model declares, and its weights, checked as strictly as those of a stranger."""
        try:
            info, content = unpacked(ended.content)
            return info, weights_in_safetensors(content, self.original.weights)
        except ValueError as error:
            raise SubmissionError(
                f"{self.submission.path} failed {where}: its model cannot be judged: {error}. The model must keep the "
                "architecture of `net`. Make masks and parametrizations permanent before returning."
            ) from error
