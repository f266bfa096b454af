"""The search: what it finds, what it does not count, that it goes on where it stopped; and `unlearning-kit tune`."""

import json
import sys
from pathlib import Path

import matplotlib.image
import pytest

from scoring.reports import tuning as reports
from scoring.tuning import search
from scoring.untrusted.submission import read
from starter_kit.errors import InputError, SubmissionError, UnsuitedError
from tests.conftest import MODELS, make_pools, quiet_pools
from tests.toys import sequence_task

pytestmark = pytest.mark.usefixtures("few_splits")

SHIFT = '''"""Shift all weights a little, or too much."""
import torch

NOISE = 0.5
RANGES = {"NOISE": (0.001, 1.0)}

@torch.no_grad()
def unlearning(net, retain, forget, val):
    for weight in net.parameters():
        weight.mul_(1 + NOISE * torch.randn_like(weight))
'''
SLOW = SHIFT.replace("@torch.no_grad()", "import time\n\n\n@torch.no_grad()").replace(
    "    for weight in", "    time.sleep(20 * (NOISE > 0.1))\n    for weight in"
)


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Trials with few models."""
    monkeypatch.setattr(search, "MODELS", MODELS)
    monkeypatch.setattr(search, "STAGES", (2, MODELS))


@pytest.fixture(scope="module")
def tuning_store(tmp_path_factory):
    """A store that the searches share."""
    return tmp_path_factory.mktemp("tuning")


@pytest.fixture
def find(tmp_path, tuning_store):
    """Searches the constants of a source; returns the search and the trials that were shown."""

    def found(source, trials, backend="serial"):
        path = tmp_path / "mine.py"
        path.write_text(source)
        pools = make_pools(tuning_store, backend, 2, search.TUNING_SEED)
        shown = []
        return search.search(path, pools, trials, shown.append), shown

    return found


@pytest.mark.slow
def test_it_finds_better_constants_than_bad_ones(find):
    tuning, shown = find(SHIFT, 12)
    assert [trial.number for trial in shown] == list(range(12))
    assert tuning.trials[0].values == {"NOISE": 0.5}
    assert tuning.best is not None
    assert tuning.best.score == max(trial.score or 0 for trial in tuning.trials)
    assert tuning.best.score > 2 * (tuning.trials[0].score or 0)
    assert 0.01 < tuning.best.values["NOISE"] < 0.4


def test_the_same_search_finds_the_same_without_running_anything(find, tuning_store):
    first, _ = find(SHIFT, 5)
    before = {path: path.stat().st_mtime_ns for path in tuning_store.rglob("*.row")}
    assert len(before) > 5 * MODELS
    again, _ = find(SHIFT, 5)
    assert again.trials == first.trials
    assert {path: path.stat().st_mtime_ns for path in tuning_store.rglob("*.row")} == before


def test_what_takes_too_long_does_not_count(find):
    """Runs with much noise wait for three seconds."""
    source = SLOW.replace("time.sleep(20", "time.sleep(3")
    tuning, _ = find(source, 4)
    for trial in tuning.trials:
        assert (trial.outcome == "too slow") == (trial.values["NOISE"] > 0.1)
    assert tuning.trials[0].score is None
    assert tuning.trials[0].time > 0.2


@pytest.mark.slow
def test_a_trial_that_does_worse_than_most_is_stopped_early(find, monkeypatch, tuning_store):
    monkeypatch.setattr(search, "STAGES", (4, MODELS))
    earlier = set(tuning_store.glob("mine-*"))
    # Other words, so that no model is in the store already.
    tuning, _ = find(SHIFT.replace("Shift", "Move").replace("NOISE = 0.5", "NOISE = 0.4"), 14)
    stopped = [trial for trial in tuning.trials if trial.outcome == "stopped early"]
    assert stopped
    assert all(trial.score is None and trial.number >= 8 for trial in stopped)
    made = [len(list(folder.glob("*.row"))) for folder in set(tuning_store.glob("mine-*")) - earlier]
    assert made.count(4) == len(stopped), "and makes no more models"
    assert made.count(MODELS) == len([trial for trial in tuning.trials if trial.outcome == "scored"])


def test_answers_of_several_words_can_be_tuned_for(written, tuning_store):
    pools = quiet_pools(tuning_store, sequence_task(), seed=search.TUNING_SEED)
    tuning = search.search(written(SHIFT), pools, 3, lambda _: None)
    assert len(tuning.trials) == 3
    assert any(trial.score is not None for trial in tuning.trials)


def test_a_trial_that_fails_does_not_stop_the_search(find):
    source = SHIFT.replace("NOISE = 0.5", "NOISE = 0.3").replace(
        "    for weight", "    if NOISE < 0.1:\n        raise RuntimeError('too little')\n    for weight"
    )
    tuning, _ = find(source, 8)
    failed = [trial for trial in tuning.trials if trial.outcome == "failed"]
    assert failed
    assert all(trial.values["NOISE"] < 0.1 and "too little" in trial.reason for trial in failed)
    assert tuning.best is not None


def test_a_file_that_fails_as_it_is_is_not_searched(find):
    with pytest.raises(SubmissionError, match=r"mine\.py failed in run 0"):
        find(SHIFT.replace("    for weight", "    raise RuntimeError('always')\n    for weight"), 3)
    with pytest.raises(UnsuitedError, match="This method needs words"):
        find(
            SHIFT.replace(
                "    for weight", "    raise NotImplementedError('This method needs words.')\n    for weight"
            ),
            3,
        )


def test_the_command_writes_a_file_and_scores_it(kit, written, tmp_path):
    path = Path(written(SHIFT))
    result = kit("tune", path, "--trials", 6)
    assert result.exit_code == 0, result.stderr
    tuned = path.with_name("mine_tuned.py")
    folder = tmp_path / "report/tuning"
    record = json.loads((folder / "tuning.json").read_text())
    best = record["trials"][record["best"]]
    assert f"NOISE = {best['values']['NOISE']!r}" in tuned.read_text()
    assert f"# {reports.MARK}: 6 trials on digits, seed 1000" in tuned.read_text()
    assert matplotlib.image.imread(folder / "tuning.png").std() > 0.05
    scored = json.loads((tmp_path / "report/report.json").read_text())
    assert scored["submission"]["sha256"] == read(tuned).sha256
    assert scored["run"]["seed"] == 0
    assert len([line for line in result.stderr.splitlines() if line.startswith("trial ")]) == 6
    assert "best" in result.stdout

    tuned.write_text("# somebody's own")
    refused = kit("tune", path, "--trials", 6)
    assert refused.exit_code == 1
    assert "mine_tuned.py exists, but `make tune` did not write it" in refused.stderr
    assert tuned.read_text() == "# somebody's own"


def test_constants_are_not_tuned_on_the_seed_that_they_are_scored_on(kit, written):
    refused = kit("tune", written(SHIFT), "--seed", 1000)
    assert refused.exit_code == 1
    assert "Seed 1000 is reserved for tuning. Choose another SEED=." in refused.stderr


def test_own_learning_is_not_tuned(find):
    source = SHIFT + "\n\ndef learning(net, train, val):\n    return net\n"
    with pytest.raises(
        InputError, match=r"mine\.py brings its own learning, and a search tries .* Change them by hand"
    ):
        find(source, 3)


def test_it_says_how_to_get_optuna(find, monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(InputError, match=r"Tuning needs Optuna\. Install it with: .*'\.\[tune\]'"):
        find(SHIFT, 1)


def test_a_search_that_finds_nothing_writes_no_file(kit, written):
    """Models that are all alike score 0, whatever the constant."""
    path = Path(written("NOISE = 0.5\n\ndef unlearning(net, retain, forget, val):\n    return net\n"))
    result = kit("tune", path, "--trials", 2)
    assert result.exit_code == 1
    assert (
        "scored above 0 within the time budget, so there is no tuned file. Try other RANGES, or more" in result.stderr
    )
    assert not path.with_name("mine_tuned.py").exists()


@pytest.mark.parametrize("kind", ["folder", "link"])
def test_nothing_in_the_way_of_the_tuned_file_is_replaced(kit, written, kind):
    path = Path(written(SHIFT))
    place = path.with_name("mine_tuned.py")
    place.mkdir() if kind == "folder" else place.symlink_to(path.with_name("nowhere.py"))
    result = kit("tune", path, "--trials", 2)
    assert result.exit_code == 1
    assert "mine_tuned.py exists, but `make tune` did not write it" in result.stderr
    assert place.is_dir() == (kind == "folder")
    assert place.is_symlink() == (kind == "link")


def test_why_a_trial_failed_is_on_its_line():
    trial = search.Trial(3, {"NOISE": 0.5}, "failed", reason="Traceback\nRuntimeError: too \x1b[31mmuch")
    assert reports.line(trial) == "trial 3: failed (RuntimeError: too \\x1b[31mmuch); NOISE 0.5"
