"""What a command says that it will make, before it makes it."""

from dataclasses import replace
from pathlib import Path

import pytest

from scoring.compare import compare_on_seeds
from scoring.run import prepare, run_on_seeds
from scoring.running.plan import plan
from scoring.untrusted.submission import read
from tests.conftest import MODELS, make_pools

pytestmark = pytest.mark.usefixtures("brief_training", "few_splits")

FINETUNE = Path("submissions/finetune.py")


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """A store that holds what a submission is compared with."""
    folder = tmp_path_factory.mktemp("plan")
    prepare(make_pools(folder), MODELS)
    return folder


@pytest.fixture
def expected(monkeypatch):
    """The stages that a command expects, and the pools that it then makes."""
    seen = {"stages": [], "pools": []}

    def watch(pools):
        expect, pool = pools.progress.expect, pools.progress.pool

        def expecting(stages):
            seen["stages"] += stages
            seen["pools"].clear()
            return expect(stages)

        def making(name, models, stored, unit, seed):
            seen["pools"].append((name, seed, models))
            return pool(name, models, stored, unit, seed)

        monkeypatch.setattr(pools.progress, "expect", expecting)
        monkeypatch.setattr(pools.progress, "pool", making)
        return seen

    return watch


def two_seeds(store):
    first = make_pools(store, seed=0)
    return [first, replace(first, setting=replace(first.setting, seed=1))]


def test_what_is_stored_is_counted_and_times_come_from_it(store):
    found = plan([make_pools(store)], [read(FINETUNE)], MODELS)
    assert [(one.name, one.models) for one in found] == [("retrained", 16), ("original", 1), ("finetune", MODELS)]
    assert [one.stored for one in found[:2]] == [16, 1]
    assert all(one.seconds > 0 for one in found)


def test_nothing_is_known_of_an_empty_store_and_nothing_is_written_there(tmp_path):
    found = plan(two_seeds(tmp_path), [read(FINETUNE)], MODELS)
    assert [one.name for one in found] == ["retrained", "original", "finetune"] * 2
    assert all(one.stored == 0 and one.seconds is None for one in found)
    assert not list(tmp_path.iterdir())


def test_models_of_a_submissions_own_learning_are_counted(store):
    found = plan([make_pools(store)], [read(Path("submissions/sisa.py"))], MODELS)
    assert [(one.name, one.models) for one in found] == [
        ("retrained", MODELS),
        ("original", 1),
        ("sisa-retrained", 16),
        ("sisa", MODELS),
    ]


def test_a_comparison_of_submissions_that_learn_needs_the_tasks_ceiling(store):
    found = plan([make_pools(store)], [read(Path("submissions/sisa.py"))], MODELS, compared=True)
    assert [one.models for one in found] == [16, 1, 16, MODELS]


def test_a_task_without_retrained_models_plans_none(store):
    pools = make_pools(store)
    task = replace(pools.task, why_no_retrained="they come trained")
    found = plan([replace(pools, setting=replace(pools.setting, task=task))], [read(FINETUNE)], MODELS)
    assert [one.name for one in found] == ["original", "finetune"]


def test_damaged_rows_are_not_counted(tmp_path):
    pools = make_pools(tmp_path)
    _ = pools.original
    pools.retrained(2)
    (row,) = tmp_path.glob("retrained-*/00000.row")
    row.write_bytes(row.read_bytes()[:-1] + b"?")
    assert [one.stored for one in plan([pools], [], MODELS)] == [0, 1]


def test_a_score_on_seeds_makes_what_it_said(store, expected):
    pools = two_seeds(store)
    seen = expected(pools[0])
    assert len(list(run_on_seeds(FINETUNE, pools, MODELS))) == 2
    announced = [(one.name, one.seed, one.models) for one in seen["stages"]]
    assert [one for one in seen["pools"] if one[0] != "ceiling"] == announced


def test_a_comparison_plans_for_all_submissions_that_can_be_read(store, expected, written):
    broken = written("def unlearning(net):\n")
    pools = make_pools(store)
    seen = expected(pools)
    (comparison,) = compare_on_seeds([FINETUNE, broken], [pools], MODELS)
    assert [one.name for one in seen["stages"]] == ["retrained", "original", "finetune"]
    assert list(comparison.failed) == [broken]
