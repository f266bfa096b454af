import shutil
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from scoring.jobs import code
from scoring.jobs.code import digest_of_code, modules_behind
from scoring.jobs.original import OriginalJob
from scoring.jobs.retrained import RetrainedJob
from scoring.jobs.setting import ROLES, Setting
from scoring.jobs.unlearned import UnlearnedJob
from scoring.running import host
from scoring.running.host import host_kind
from scoring.running.keys import key_of
from scoring.untrusted.submission import Submission, read
from starter_kit import tasks
from starter_kit.networks.digit_net import DigitNet
from tests.conftest import make_pools

DIGITS = Setting(tasks.load("digits"), "cpu", 0)


def key(setting=DIGITS):
    return key_of(RetrainedJob(setting), host_kind(setting.device))


CHANGES = {
    "seed": replace(DIGITS, seed=1),
    "recipe": replace(DIGITS, task=replace(DIGITS.task, recipe=replace(DIGITS.task.recipe, epochs=9))),
    "network": replace(DIGITS, task=replace(DIGITS.task, network=lambda: DigitNet(width=9))),
    "examples": replace(DIGITS, task=replace(DIGITS.task, retain=DIGITS.task.forget, forget=DIGITS.task.retain)),
    "learning of a submission": replace(DIGITS, own=Submission(Path("mine.py"), "one")),
    "learning of another": replace(DIGITS, own=Submission(Path("mine.py"), "another")),
    "request": replace(DIGITS, task=DIGITS.task.asking_for(5)),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_decides_a_row_is_in_its_key(change):
    assert key() == key(Setting(tasks.load("digits"), "cpu", 0))
    assert len({str(key(setting)) for setting in (DIGITS, *CHANGES.values())}) == 1 + len(CHANGES)


def test_jobs_of_one_setting_share_no_rows():
    assert key() != key_of(OriginalJob(DIGITS), host_kind("cpu"))


def test_two_submissions_share_no_rows(store):
    original = make_pools(store).original
    names = ("finetune", "random_labels")
    jobs = [UnlearnedJob(DIGITS, read(Path(f"submissions/{name}.py")), original, 60, True) for name in names]
    assert key_of(jobs[0], {}) != key_of(jobs[1], {})


def test_no_two_models_share_a_seed():
    seeds = [DIGITS.seed_of(role, index) for role in ROLES for index in range(99)]
    assert len(set(seeds)) == len(seeds)


JOBS = {"retrained": RetrainedJob(DIGITS), "original": OriginalJob(DIGITS)}


@pytest.mark.parametrize("job", JOBS.values(), ids=JOBS)
def test_a_job_names_the_code_that_makes_its_rows(job):
    ours = {
        "starter_kit.tasks.digits",
        "starter_kit.networks.digit_net",
        "starter_kit.training",
        "starter_kit.answers",
        "starter_kit.examples",
        "scoring.learners.recipe",
        "scoring.learners.fused.layers",
        "scoring.judging.confidence",
        type(job).__module__,
    }
    assert ours <= set(job.code)
    others = {"starter_kit.tasks.faces", "starter_kit.contract", "scoring.judging.score", "scoring.running.store"}
    assert not others & set(job.code)
    assert not [module for module in job.code if module.startswith(("scoring.untrusted", "scoring.reports"))]


def test_what_a_submission_did_in_the_judges_process_never_passes_as_isolated(store):
    original = make_pools(store).original
    submission = read(Path("submissions/finetune.py"))
    jobs = [UnlearnedJob(DIGITS, submission, original, 60, isolated) for isolated in (True, False)]
    assert key_of(jobs[0], {}) != key_of(jobs[1], {})


def test_a_tasks_helper_files_are_part_of_its_code():
    setting = Setting(tasks.load("faces:600"), "cpu", 0)
    assert {"starter_kit.tasks.faces", "starter_kit.tasks._portraits"} <= set(RetrainedJob(setting).code)


@pytest.fixture
def module_file(tmp_path, monkeypatch):
    """A module of the task's, whose source the test may edit."""
    monkeypatch.syspath_prepend(tmp_path)
    path = tmp_path / "a_task_of_the_tests.py"
    path.write_text('"""Doc."""\n\n\ndef scale():\n    """Doc."""\n    return 2\n')
    yield path
    sys.modules.pop("a_task_of_the_tests", None)


def digest_now():
    for cached in (modules_behind, digest_of_code, code._tree):
        cached.cache_clear()
    return key(replace(DIGITS, task=replace(DIGITS.task, module="a_task_of_the_tests")))["code"]


@pytest.mark.parametrize(
    ("source", "changes"),
    [
        ('"""Doc."""\n\n\ndef scale():\n    """Doc."""\n    return 3\n', True),
        ('"""Another."""\n\n\ndef scale():\n    # Why two.\n    return 2\n', False),
    ],
    ids=["another number", "other comments"],
)
def test_editing_a_task_makes_its_rows_anew_unless_only_words_change(module_file, source, changes):
    before = digest_now()
    module_file.write_text(source)
    assert (digest_now() != before) == changes


def test_the_kind_of_machine_is_in_the_key(monkeypatch):
    before = key()
    assert before["torch"] == torch.__version__
    assert before["cpu"]
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX2 of the tests")
    assert key() != before
    monkeypatch.undo()
    monkeypatch.setattr(host, "processor", lambda: "another processor")
    assert key() != before


def test_what_is_stored_is_found_again_and_gives_the_same_bits(store, tmp_path, capsys):
    copy = tmp_path / "store"
    shutil.copytree(store, copy)
    pools = make_pools(copy)
    first, again = pools.retrained(4), make_pools(copy).retrained(4)
    assert "all stored" in capsys.readouterr().err
    np.testing.assert_array_equal(first.forget_confidence, again.forget_confidence)


def test_every_run_of_a_submission_is_found_again(store, tmp_path, capsys):
    """Also those beside which no time of retraining was taken."""
    copy = tmp_path / "store"
    shutil.copytree(store, copy)
    submission = read(Path("submissions/identity.py"))
    runs = [make_pools(copy).unlearned(submission, 10).outputs for _ in range(2)]
    assert np.isnan(runs[0].retraining_seconds).sum() == 2
    assert "10 models   all stored" in capsys.readouterr().err
    np.testing.assert_array_equal(runs[0].seconds, runs[1].seconds)


def test_outputs_of_another_seed_do_not_belong_together(store):
    one, other = make_pools(store), make_pools(store, seed=1)
    assert one.identity.task == other.identity.task
    assert one.identity != other.identity
