"""Scores from a bank: the same as without, and nothing but the submission is run."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from scoring.bank import bank_of
from scoring.banks import fitting
from scoring.banks.files import card_in, load, packed
from scoring.cli import app
from scoring.cli.pools import backend_of, pools_of, with_banks
from scoring.judging.ceiling import SPLITS
from scoring.running.host import host_kind
from scoring.tuning import search
from starter_kit import tasks
from starter_kit.errors import InputError
from tests.banks.conftest import MODELS
from tests.conftest import make_pools, quiet_pools
from tests.learning.sources import TWINS

pytestmark = pytest.mark.usefixtures("few_splits")

JUDGED = ("unlearned", "interval", "by_models", "retrained", "ceiling", "floor", "audit")


@pytest.fixture
def score(tmp_path):
    """The program, with a store of its own."""

    def run(*arguments, command="score", models=MODELS):
        options = [
            "--models",
            models,
            "--store",
            tmp_path / "store",
            "--out",
            tmp_path / "report",
            "--backend",
            "serial",
        ]
        for name, value in zip(options[::2], options[1::2], strict=True):
            if name not in arguments:
                arguments += (name, value)
        return CliRunner().invoke(app, [command, *map(str, arguments)])

    return run


def report_in(folder):
    return json.loads((folder / "report.json").read_text())


def test_a_score_from_a_bank_is_that_without_to_the_bit(score, bank_file, bank_store, tmp_path, monkeypatch):
    monkeypatch.setattr("scoring.running.pools.SPLITS", SPLITS)
    result = score("submissions/weight_noise.py", "--bank", bank_file)
    assert result.exit_code == 0, result.stderr
    made = {path.name.split("-")[0] for path in (tmp_path / "store").iterdir()}
    assert made == {"weight_noise"}, "nothing else was made"
    without = score(
        "submissions/weight_noise.py", "--bank", "none", "--store", bank_store, "--out", tmp_path / "without"
    )
    assert without.exit_code == 0, without.stderr
    for part in JUDGED:
        found, expected = report_in(tmp_path / "report")[part], report_in(tmp_path / "without")[part]
        assert found == expected, part
    note = f"The original and the retrained models are from {bank_file.name}, which was made on this kind of machine"
    assert any(note in one for one in report_in(tmp_path / "report")["notes"])
    assert str(bank_file.parent) not in (tmp_path / "report/report.html").read_text()


def test_fewer_models_than_it_holds(score, bank_file, tmp_path):
    result = score("submissions/weight_noise.py", "--bank", bank_file, models=8)
    assert result.exit_code == 0, result.stderr
    assert report_in(tmp_path / "report")["run"]["models"] == 8


def test_a_comparison_takes_it_too(score, bank_file, tmp_path):
    files = ("submissions/weight_noise.py", "submissions/identity.py")
    result = score(*files, "--bank", bank_file, command="compare", models=8)
    assert result.exit_code == 0, result.stderr
    assert {path.name.split("-")[0] for path in (tmp_path / "store").iterdir()} == {
        "weight_noise",
        "identity",
        "ceiling",
    }


def test_another_machine_is_named(score, bank, tmp_path):
    host = bank.card.host | {"cpu": "another one\nSaved", "torch": "0.1"}
    path = tmp_path / "theirs.zip"
    path.write_bytes(packed(replace(bank, card=bank.card.model_copy(update={"host": host})), ""))
    result = score("submissions/weight_noise.py", "--bank", path, models=8)
    assert "made on another kind of machine (cpu another one\\nSaved, torch 0.1)" in " ".join(result.stderr.split())
    assert any("another kind of machine" in one for one in report_in(tmp_path / "report")["notes"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--seed", 1), "its original has SEED=0, not 1"),
        (("--forget", 5), "it is for digits, not for digits-forget-5"),
        (("--task", "hazards"), "it is for digits, not for hazards"),
        (("--models", 64), "it holds 32 retrained models; MODELS=64 needs 64. BANK=none trains them here."),
        (("--models", 20), "it holds 32 retrained models; MODELS=20 needs 40. BANK=none trains them here."),
        (("--seeds", "0,1"), "A bank holds a single original model, so use one SEED=, not several SEEDS=."),
    ],
)
def test_a_bank_that_does_not_fit_is_refused(score, bank_file, options, message):
    result = score("submissions/weight_noise.py", "--bank", bank_file, *options)
    assert result.exit_code == 1
    assert message in " ".join(result.stderr.split())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"task_sha256": "0" * 64}, "it was made from different examples or with a different recipe of digits"),
        ({"rules": 0}, "its ceiling was scored under rules version 0, not 1"),
    ],
)
def test_other_examples_and_other_rules_are_refused(bank, change, message):
    card = bank.card.model_copy(update=change)
    assert fitting.why_not(card, tasks.load("digits"), 0, 32) == message


def test_the_kits_own_bank_is_used_until_an_original_is_stored(score, bank_file, monkeypatch, tmp_path):
    monkeypatch.setitem(fitting.OWN, "digits", bank_file)
    result = score("submissions/weight_noise.py", models=8)
    assert "are from the kit's bank" in result.stderr
    assert "BANK=none trains them here" in result.stderr
    result = score("submissions/weight_noise.py", "--bank", "none", models=8)
    assert "bank" not in result.stderr
    result = score("submissions/weight_noise.py", models=8)
    assert "bank" not in result.stderr, "what was trained here is better"


@pytest.mark.parametrize(
    ("seeds", "models", "used"), [((1,), 8, [False]), ((0,), 64, [False]), ((0, 1), 8, [True, False])]
)
def test_the_kits_own_bank_is_used_for_what_it_fits(bank_file, monkeypatch, seeds, models, used, tmp_path):
    monkeypatch.setitem(fitting.OWN, "digits", bank_file)
    found = pools_of("digits", None, None, "cpu", seeds, tmp_path, None, backend_of("serial"))
    assert [pools.bank is not None for pools in with_banks(found, None, models)] == used


def test_tuned_constants_are_scored_with_the_same_bank_as_others(score, bank_file, monkeypatch, tmp_path):
    monkeypatch.setattr(search, "MODELS", 8)
    monkeypatch.setattr(search, "STAGES", (2, 8))
    path = tmp_path / "mine.py"
    path.write_text(Path("submissions/weight_noise.py").read_text())
    result = score(path, "--trials", 1, "--bank", bank_file, command="tune", models=8)
    assert result.exit_code == 0, result.stderr
    assert any(f"are from {bank_file.name}" in note for note in report_in(tmp_path / "report")["notes"])


def test_a_submission_with_its_own_learning_has_pools_of_its_own(score, bank_file, written, tmp_path):
    result = score(written(TWINS), "--bank", bank_file, models=8)
    assert result.exit_code == 0, result.stderr
    made = {path.name.rsplit("-", 2)[0] for path in (tmp_path / "store").iterdir()}
    assert made == {"mine-retrained", "mine", "ceiling"}


def test_the_command_writes_it_and_says_how_large_it_is(score, bank_store, tmp_path):
    path = tmp_path / "some folder/bank.zip"
    result = score("--out", path, "--store", bank_store, command="bank")
    assert result.exit_code == 0, result.stderr
    assert f"{path.stat().st_size:,} bytes" in " ".join(result.stdout.split())
    assert card_in(path).models == MODELS
    assert "CC BY 4.0" in card_in(path).licence


def test_too_few_models_make_no_bank(score, bank_store, tmp_path):
    result = score("--out", tmp_path / "bank.zip", "--store", bank_store, command="bank", models=16)
    assert result.exit_code == 2
    assert "expected a whole number from 32 to 65536, found '16'" in " ".join(result.stderr.split())


def test_python_code_that_asks_for_the_wrong_number_is_told(bank, tmp_path):
    pools = make_pools(tmp_path, "serial", 1)
    with pytest.raises(InputError, match="Expected at least 32 models for a bank, found 16"):
        bank_of(pools, 16)
    with pytest.raises(InputError, match="holds 32 retrained models, but this run needs 33"):
        pools.from_bank(bank, "a bank").retrained(33)


def test_its_words_say_whose_the_data_are_and_how_it_was_made(score, bank_store, tmp_path):
    path = tmp_path / "bank.zip"
    score("--out", path, "--store", bank_store, command="bank")
    shutil.unpack_archive(path, tmp_path / "unpacked")
    words = (tmp_path / "unpacked/README.md").read_text()
    assert "CC BY 4.0 (UCI" in words
    assert "Made by `make bank TASK=digits MODELS=32 SEED=0`" in words


def test_the_kits_own_bank_is_what_this_code_makes(tmp_path):
    """Some of its models are made again. On another kind of machine they answer alike, not to the bit."""
    task = tasks.load("digits")
    bank = load(fitting.OWN["digits"], task)
    assert fitting.why_not(bank.card, task, 0, 512) == ""
    made, theirs = quiet_pools(tmp_path, task).retrained(16), bank.retrained.take(slice(16))
    if bank.card.host == host_kind("cpu"):
        assert np.array_equal(made.forget_confidence, theirs.forget_confidence)
    else:
        assert made.forget_accuracy.mean() == pytest.approx(theirs.forget_accuracy.mean(), abs=0.05)
