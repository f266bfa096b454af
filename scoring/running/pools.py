"""The pools of a score: which rows they need, which are stored, and making the rest."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Literal

from scoring.banks.bank import Bank
from scoring.jobs.ceiling import CeilingJob, score_in
from scoring.jobs.certificate import CertificateJob
from scoring.jobs.checkpoint import CheckpointJob
from scoring.jobs.execution import ExecutionJob
from scoring.jobs.job import Job, Row
from scoring.jobs.original import Original, OriginalJob
from scoring.jobs.own import OwnJob
from scoring.jobs.retrained import RetrainedJob
from scoring.jobs.setting import Setting
from scoring.jobs.unlearned import UnlearnedJob
from scoring.judging.ceiling import SPLITS, Ceiling
from scoring.judging.certificate import Certificate
from scoring.judging.outputs import Identity, Outputs
from scoring.running.backends import Backend, Reports
from scoring.running.keys import key_of
from scoring.running.machines import cores
from scoring.running.progress import Progress, Stage
from scoring.running.store import digest_of_key, find_rows, open_rows
from scoring.running.unlearned import Unlearned
from scoring.running.workers import run_on_shared_gpus
from scoring.untrusted.checkpoints import Checkpoints
from scoring.untrusted.submission import Submission
from starter_kit.errors import InputError, KitError, quoted
from starter_kit.task import Task

TIMES_TRAINING, TIMES_WITH_LEARNING, AT_LEAST = 3, 10, 60.0
"""The default limit of a run: so many times the seconds that training a model takes one thread, and at least these."""

WITHOUT_TRAINING = 3600.0
"""The default limit where the original comes trained."""

CERTIFICATE_SEEDS = 8


@dataclass(frozen=True, eq=False)
class Pools:
    """Makes the pools of one setting and keeps them in a store.

    Attributes:
        setting: task, device, seed, and the submission that brings its own learning, if one does.
        store: the folder of all finished rows.
        backend: how jobs are run.
        workers: how many run at a time; None for as many as the device can use.
        progress: what the user sees of it.
        limit: the seconds that a run of a submission may take; None for the default.
        remarks: what a report should say of how pools were made.
        bank: the original and the retrained pool, if they come from elsewhere.
    """

    setting: Setting
    store: Path
    backend: Backend
    workers: int | None
    progress: Progress
    limit: float | None = None
    remarks: list[str] = field(default_factory=list)
    bank: Bank | None = None

    @property
    def task(self) -> Task:
        """The task of all pools."""
        return self.setting.task

    @cached_property
    def identity(self) -> Identity:
        """What all outputs of this setting carry."""
        if self._banked:
            return self._banked.identity
        job = self.own_job("retrained") if self.setting.own else RetrainedJob(self.setting)
        return Identity(self.task.label, self.setting.seed, digest_of_key(self._key_of(job)))

    @property
    def kind(self) -> dict[str, str]:
        """The kind of the machines that make the rows."""
        return self.backend.machines.kind(self.setting.device)

    def from_bank(self, bank: Bank, name: str, advice: str = "") -> "Pools":
        """The same pools, with the original and the retrained models of a bank, and a remark that says so.

        Args:
            bank: one that fits.
            name: what to call it.
            advice: a sentence on what else a person could do.
        """
        here, there = self.kind, bank.card.host
        others = ", ".join(f"{key} {quoted(there.get(key, 'unknown'))}" for key in here if there.get(key) != here[key])
        made = f"on another kind of machine ({others})" if others else "on this kind of machine"
        remark = f"The original and the retrained models are from {name}, which was made {made}. {advice}".rstrip()
        self.progress.say(remark)
        return replace(self, bank=bank, remarks=[*self.remarks, remark])

    def of_task(self) -> "Pools":
        """The pools of the task's own recipe, which accuracies are compared with."""
        return replace(self, setting=replace(self.setting, own=None)) if self.setting.own else self

    def of(self, submission: Submission) -> "Pools":
        """The pools that a submission is compared with: those of its own learning, if it brings one."""
        return replace(self, setting=replace(self.setting, own=submission)) if submission.learns else self.of_task()

    @cached_property
    def original(self) -> Original:
        """The original model of the task's recipe."""
        if self.bank:
            return self.bank.original
        return Original.of_row(self._fill("original", 1, OriginalJob(self.of_task().setting))[0])

    def originals(self, models: int) -> Outputs:
        """What the original models answer, before anything is forgotten."""
        if self.setting.own:
            learning = self.unlearned(self.setting.own, models).learning
            assert learning is not None, "a submission's own learning was measured"
            return learning.before
        return Outputs.of_rows(self.identity, [self.original.answers] * models, models)

    def retrained(self, models: int) -> Outputs:
        """Models that never saw the forget set."""
        if own := self.setting.own:
            rows = self._fill(f"{own.name}-retrained", models, self.own_job("retrained", self._own_limit))
            return Outputs.of_rows(self.identity, rows, models)
        if self._banked:
            return self._of_bank(self._banked, models)
        if reason := self.setting.recipe.why_one_at_a_time(self.task):
            self.progress.say(f"retrained: one model at a time, because this network cannot be fused: {reason}.")
        rows = self._fill("retrained", models, RetrainedJob(self.setting))
        if failed := sum(bool(row["record_failed"]) for row in rows):
            remark = f"{failed} of {len(rows)} groups of retrained models were slow: their steps could not be recorded."
            self.progress.say(remark)
            self.remarks.append(remark)
        return Outputs.of_rows(self.identity, rows, models)

    def ceiling(self, retrained: Outputs, accuracy: Outputs | None = None) -> Ceiling:
        """What retrained models score against each other; ``accuracy`` as for `judging.score`."""
        if self._banked and accuracy is None and len(retrained) == self._banked.card.models:
            return self._banked.ceiling
        rows = self._fill("ceiling", SPLITS, CeilingJob(retrained, accuracy), unit="splits")
        return Ceiling(tuple(score_in(row) for row in rows))

    @property
    def _banked(self) -> Bank | None:
        """The bank, for pools of the task's own recipe: a submission that learns has pools of its own."""
        return None if self.setting.own else self.bank

    def _of_bank(self, bank: Bank, models: int) -> Outputs:
        """The first models of the bank's pool."""
        if models > bank.card.models:
            raise InputError(
                f"The bank holds {bank.card.models} retrained models, but this run needs {models}. Lower MODELS=, "
                "or use BANK=none to train them here."
            )
        return bank.retrained.take(slice(models))

    def stage(self, name: str, models: int, job: Job | None, seconds: float | None) -> Stage:
        """A pool as a step of a plan: what is stored, and how long the rest takes.

        Args:
            name: the pool's.
            models: how many it has.
            job: what makes it; None as long as the original is missing.
            seconds: what a model takes, if none is stored that says so.
        """
        stored = 0
        if job:
            rows = find_rows(self.store, self._prefix(name), self._key_of(job))
            made, _ = rows.read(range(-(-models // job.size)))
            stored = sum(min(job.size, models - index * job.size) for index in made)
            seconds = next((float(row["seconds"].mean()) for row in made.values()), seconds)
        at_once = self.workers or self.backend.machines.slots(self.setting.device)
        per_model = None if seconds is None else seconds / at_once
        return Stage(name, models, stored, per_model, self.setting.seed)

    def has_run(self, submission: Submission) -> bool:
        """Whether the submission's first run is stored."""
        if self.setting.own:
            return bool(self._stored(submission.name, self.own_job("unlearned")))
        original = self.stored_original
        return bool(original and self._stored(submission.name, self.runs_of(submission, original)))

    @property
    def stored_original(self) -> Original | None:
        """The original model of the task's recipe, if it is there. Nothing is created."""
        if self.bank:
            return self.bank.original
        row = self._stored("original", OriginalJob(self.of_task().setting))
        return Original.of_row(row) if row else None

    def execute(self, submission: Submission) -> None:
        """Execute the submission's file, apart from this process. A mistake in it shows at once."""
        job = ExecutionJob(self.setting, submission, self.limit or AT_LEAST)
        for _ in self.backend.run(job, [0], 1):
            pass

    def unlearned(self, submission: Submission, models: int) -> Unlearned:
        """What the submission makes of the original model, or of models that it learned itself."""
        own = bool(self.setting.own)
        job = self.own_job("unlearned", self._own_limit) if own else self.runs_of(submission, self.original)
        return Unlearned.of_rows(self.identity, self._fill(submission.name, models, job), own)

    def certificate(self, submission: Submission) -> Certificate:
        """Whether the submission's own unlearning is exact. One seed is tried first, then all."""
        job = self._certificate_job(self._own_limit)
        for seeds in (1, CERTIFICATE_SEEDS):
            pairs = seeds * len(job.requests)
            rows = self._fill(f"{submission.name}-certificate", pairs, job, unit="pairs")
            found = job.certificate(dict(enumerate(rows)))
            if found.difference:
                break
        return found

    def stored_certificate(self, submission: Submission) -> Certificate | None:
        """What ``certificate`` found, if it has run. Nothing is created."""
        if not self.setting.own:
            return None
        job = self._certificate_job()
        pairs = CERTIFICATE_SEEDS * len(job.requests)
        rows, _ = find_rows(self.store, self._prefix(f"{submission.name}-certificate"), self._key_of(job)).read(
            range(pairs)
        )
        found = job.certificate(rows) if rows else None
        return found if found and (found.difference or len(rows) == pairs) else None

    def runs_of(self, submission: Submission, original: Original) -> UnlearnedJob:
        """The job that runs the submission on the original."""
        limit = self._limit(original, TIMES_TRAINING)
        return UnlearnedJob(self.setting, submission, original, limit, isolated=self.backend.isolates)

    def own_job(self, pool: Literal["retrained", "unlearned"], limit: float = 0.0) -> OwnJob:
        """The job that trains a pool with the submission's own learning."""
        return OwnJob(self.setting, pool, limit, isolated=self.backend.isolates)

    def _certificate_job(self, limit: float = 0.0) -> CertificateJob:
        return CertificateJob(self.setting, "unlearned", limit, isolated=self.backend.isolates)

    @property
    def _own_limit(self) -> float:
        return self._limit(self.original, TIMES_WITH_LEARNING)

    def _limit(self, original: Original, times: float) -> float:
        """The seconds that a run may take."""
        if self.task.why_no_retrained:
            return self.limit or WITHOUT_TRAINING
        # All its threads together.
        training = OriginalJob(self.of_task().setting).threads * float(original.answers["seconds"][0])
        return self.limit or max(AT_LEAST, times * training)

    def of_checkpoints(self, checkpoints: Checkpoints, original: Original, models: int) -> Outputs:
        """What models answer that were made elsewhere."""
        rows = self._fill(checkpoints.name, models, CheckpointJob(self.setting, checkpoints, original))
        return Outputs.of_rows(self.identity, rows, models)

    def _fill(self, name: str, models: int, job: Job, unit: str = "models") -> list[Row]:
        """The rows that hold models 0 to ``models`` - 1 of a pool; missing ones are made now."""
        units = range(-(-models // job.size))
        rows = open_rows(self.store, self._prefix(name), self._key_of(job))
        with rows.lock(lambda: self.progress.say(f"{name}: another run is making this pool; waiting for it.")):
            done, damaged = rows.read(units)
            for index in damaged:
                self.progress.say(f"{name}: row {index} in {rows.folder} is damaged; it is made again.")
            missing = [index for index in units if index not in done]
            shares: dict[int, float] = {}

            def models_in(index: int) -> int:
                return min(job.size, models - index * job.size)

            def finished() -> int:
                return sum(map(models_in, done))

            with self.progress.pool(name, models, finished(), unit, self.setting.seed) as show:

                def report(index: int, share: float) -> None:
                    shares[index] = share
                    show(finished() + sum(part * models_in(begun) for begun, part in shares.items()))

                try:
                    for index, row in self._run(job, missing, report):
                        rows.write(index, row)
                        done[index] = row
                        report(index, 0)
                except KitError as error:
                    if done:
                        error.add_note(f"{finished()} of {models} {unit} are finished and kept in {rows.folder}.")
                    raise
                except KeyboardInterrupt as stop:
                    if lost := sum(models_in(index) for index, share in shares.items() if share):
                        stop.add_note(f"{name}: {finished()} of {models} {unit} are kept; work on {lost} more is lost.")
                    raise
        return [done[index] for index in units]

    def _stored(self, name: str, job: Job) -> Row | None:
        """The job's first row, if it is stored. Nothing is created."""
        found, _ = find_rows(self.store, self._prefix(name), self._key_of(job)).read([0])
        return found.get(0)

    def _prefix(self, name: str) -> str:
        return f"{name}-{self.task.label}"

    def _run(self, job: Job, units: list[int], report: Reports) -> Iterator[tuple[int, Row]]:
        """The units' rows, made by as many workers as were asked for or can be used."""
        machines, device = self.backend.machines, self.setting.device
        on_gpus = machines.gpus(device)
        if on_gpus and job.shares_gpu and not self.workers:
            return run_on_shared_gpus(self.backend.run, job, units, on_gpus, most=max(cores(), on_gpus))
        # A group of models fills a GPU by itself.
        return self.backend.run(job, units, self.workers or machines.slots(device), report)

    def _key_of(self, job: Job) -> dict[str, str]:
        return key_of(job, self.kind)
