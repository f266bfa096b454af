"""Unlearned models: what a submission makes of an original one."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from scoring.jobs.evaluation import answer_of_one, row_of
from scoring.jobs.job import Row
from scoring.jobs.original import Original
from scoring.jobs.setting import SettingJob, clock
from scoring.jobs.stopwatch import is_timed, stopwatch
from scoring.untrusted.call import Handed, run_in_place
from scoring.untrusted.ended import Ended, blame
from scoring.untrusted.sandbox import Sandbox
from scoring.untrusted.submission import Submission
from scoring.untrusted.weights import weights_in_safetensors
from starter_kit.errors import SubmissionError
from starter_kit.examples import ExampleLoader
from starter_kit.task import Task
from starter_kit.training import Report, seed_everything, silent


@dataclass(frozen=True, eq=False)
class UnlearnedJob(SettingJob):
    """A submission's runs, each on an original model of its own.

    If all start from one original, each run gets a copy of it, and a fresh network with the weights that the run left
    is judged, as on Kaggle, where only a checkpoint is handed in. Otherwise each run starts from the original with its
    own index, and the module that the run left is judged as it is.

    Attributes:
        submission: the file to run.
        original: the original that all runs start from; None if each has its own.
        limit: the seconds that a run may take.
        isolated: whether runs are made in a sandbox. Rows of both kinds are kept apart.
        sandbox: where runs are made; None for this very process.
    """

    submission: Submission
    original: Original | None
    limit: float
    isolated: bool
    sandbox: Sandbox | None = None
    shares_gpu: ClassVar[bool] = True

    def key(self) -> dict[str, str]:
        """The setting, the submission's source, the original's weights, and whether runs are isolated."""
        original = self.original.sha256 if self.original else "one per model"
        decides = {"submission": self.submission.sha256, "original": original, "isolated": str(self.isolated)}
        return self.setting.key | decides

    @property
    def handed(self) -> Handed | None:
        """What each run gets."""
        if not self.original:
            return None
        task = self.setting.task
        sets = (task.retain, task.forget, task.validation)
        return Handed(self.submission, task.network, self.original.weights, *sets, device=self.setting.device)

    def within(self, sandbox: Sandbox) -> "UnlearnedJob":
        """The same job with a sandbox."""
        return replace(self, sandbox=sandbox)

    def prepare(self, report: Report = silent) -> Callable[[int], Row]:
        """The function that runs the submission with the seed of ``index`` and evaluates the model."""
        setting = self.setting
        task = setting.load()
        time_retraining = stopwatch(setting, task)
        net = task.network().to(setting.device)

        def run(index: int) -> Row:
            seed = setting.seed_of("unlearned", index)
            if self.original:
                weights, seconds = self._unlearned(index, seed)
                # One network serves all runs: loading replaces all of its state, and a ResNet-18 takes 0.3 s to make.
                net.load_state_dict(weights)
                model = net
            else:
                model, seconds = self._with_own_original(task, index, seed)
            try:
                row = row_of(task, answer_of_one(model), [seed], seconds)
            except ValueError as error:
                raise SubmissionError(f"{self.submission.path} failed in run {index}: {error}.") from error
            retraining = time_retraining() if is_timed(index) else np.nan
            return row | {"retraining_seconds": np.array([retraining])}

        return run

    def _unlearned(self, index: int, seed: int) -> tuple[dict[str, Tensor], float]:
        """The weights that a run left, and the seconds that it took."""
        assert self.original is not None
        where, handed = f"in run {index}", self.handed
        assert handed is not None
        ended = self.sandbox.run(seed, self.limit) if self.sandbox else run_in_place(handed, seed)
        match ended.how:
            case "weights":
                return self._weights_in(ended, where), ended.seconds
            case "gpu memory":
                # The backend makes the run again, with fewer workers on the GPU.
                raise torch.OutOfMemoryError(ended.content.decode(errors="replace"))
            case "fault":
                raise RuntimeError(f"a run could not be started:\n{ended.where}")
        raise blame(ended, self.submission, where, self.limit)

    def _weights_in(self, ended: Ended, where: str) -> dict[str, Tensor]:
        """The weights that a run left, checked as strictly as those of a stranger."""
        assert self.original is not None
        try:
            return weights_in_safetensors(ended.content, self.original.weights)
        except ValueError as error:
            raise SubmissionError(
                f"{self.submission.path} failed {where}: its model cannot be judged: {error}. The model must keep the "
                "architecture of `net`. Make masks and parametrizations permanent before returning."
            ) from error

    def _with_own_original(self, task: Task, index: int, seed: int) -> tuple[nn.Module, float]:
        """What a run left of the original with its own index, and the seconds that it took.

        Only learners of the kit get here so far, so the run is made in this process.
        """
        net = self.setting.learner.learn(task, task.train, self.setting.seed_of("original", index)).train()
        loaders = [ExampleLoader(examples) for examples in (task.retain, task.forget, task.validation)]
        unlearning = self.submission.execute()
        seed_everything(seed)
        start = clock(self.setting.device)
        returned = unlearning(net, *loaders)
        seconds = clock(self.setting.device) - start
        model = net if returned is None else returned
        if not isinstance(model, nn.Module):
            raise SubmissionError(f"{self.submission.path}, run {index}: unlearning returned {type(model).__name__}.")
        return model, seconds
