"""The command line from end to end."""

import io
import json
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest

from scoring import epsilons, forgetting_quality
from scoring.reports.files import load_outputs
from scoring.reports.record import Report
from starter_kit import tasks
from tests.conftest import MODELS, command_line
from tests.toys import part

ROOT = Path(__file__).parents[2]


def test_score_writes_all_that_is_needed_to_compute_it_again(kit, tmp_path):
    result = kit("score", "submissions/finetune.py")
    assert result.exit_code == 0, result.stderr
    folder = tmp_path / "report"
    report = json.loads((folder / "report.json").read_text())
    assert Report.model_validate(report)
    unlearned, retrained = (load_outputs(folder / f"{name}.npz") for name in ("unlearned", "retrained"))
    judged = report["unlearned"]
    found = epsilons(unlearned.forget_confidence, retrained.forget_confidence)
    assert judged["epsilon"]["examples"] == found.tolist()
    quality = judged["score"]["forgetting_quality"]
    assert quality == forgetting_quality(found, MODELS)
    ratios = [judged["accuracy"][name] / report["retrained"]["accuracy"][name] for name in ("retain", "test")]
    assert judged["score"]["value"] == pytest.approx(quality * ratios[0] * ratios[1], rel=1e-12)
    assert judged["epsilon"]["largest_possible"] == pytest.approx(np.log(MODELS - 1))
    assert report["run"]["models"] == MODELS
    assert report["rules"]["comparable"] is False
    assert "8 models instead of 512" in report["rules"]["reason"]
    assert report["submission"]["name"] == "finetune"
    assert re.fullmatch("[0-9a-f]{64}", report["submission"]["sha256"])
    low, high = report["ceiling"]["band"]
    assert 0 < low < report["ceiling"]["value"] < high
    assert report["floor"]["score"]["value"] == 0
    assert report["rules"]["families"] == ["single_threshold", "double_threshold"]
    picture = matplotlib.image.imread(folder / "report.png")
    assert picture.std() > 0.05, "an empty picture"

    assert f"finetune on digits, {MODELS} models per pool" in result.stdout
    for label in ("score", "forgetting quality", "median epsilon", "ceiling", "floor", "seconds per model"):
        assert label in result.stdout
    assert f"{judged['score']['value']:.4f}" in result.stdout
    assert f"An exact method scores {low:.3f} to {high:.3f} in about 95 % of runs" in result.stdout
    assert "With 8 models the largest finite epsilon is 1.95" in result.stdout
    assert "Not comparable with official scores: 8 models instead of 512" in result.stdout


def test_judge_gives_the_score_of_the_report(kit, tmp_path):
    assert kit("score", "submissions/finetune.py").exit_code == 0
    folder = tmp_path / "report"
    result = judge(folder / "unlearned.npz", folder / "retrained.npz")
    assert result.returncode == 0
    report = json.loads((folder / "report.json").read_text())
    assert re.search(rf"score\s+│ {report['unlearned']['score']['value']:.4f}", result.stdout)


def judge(*files):
    command = [sys.executable, "-m", "scoring", "judge", *map(str, files)]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT)


def test_judge_refuses_pools_of_different_size(kit, tmp_path):
    assert kit("score", "submissions/finetune.py").exit_code == 0
    some = load_outputs(tmp_path / "report/unlearned.npz").take(slice(5))
    (tmp_path / "part.npz").write_bytes(some.to_bytes())
    result = judge(tmp_path / "part.npz", tmp_path / "report/retrained.npz")
    assert result.returncode == 1
    assert "expected pools of one size over the same examples, found (5, 95) and (8, 95)" in result.stderr
    assert "Traceback" not in result.stderr


def test_judge_refuses_outputs_that_do_not_belong_together(kit, tmp_path):
    assert kit("score", "submissions/finetune.py").exit_code == 0
    whole = load_outputs(tmp_path / "report/unlearned.npz")
    other = replace(whole, identity=replace(whole.identity, seed=7))
    (tmp_path / "other.npz").write_bytes(other.to_bytes())
    result = judge(tmp_path / "other.npz", tmp_path / "report/retrained.npz")
    assert result.returncode == 1
    assert "do not belong together" in result.stderr
    assert "digits, seed 7" in result.stderr
    assert "Traceback" not in result.stderr


def test_judge_refuses_a_damaged_and_a_missing_file(tmp_path):
    (tmp_path / "broken.npz").write_bytes(b"PK\x03\x04 and then nothing")
    for name, message in (
        ("broken.npz", "broken.npz: expected outputs as `make score` saves them; this is not a complete .npz file"),
        ("none.npz", "No such file or directory. `make score` writes"),
    ):
        result = judge(tmp_path / name, tmp_path / name)
        assert result.returncode == 1
        assert message in result.stderr
        assert "Traceback" not in result.stderr


def test_compare_ranks_and_goes_on_after_a_failure(kit, written, tmp_path):
    broken = written("def unlearning(net, retain, forget, val):\n    raise RuntimeError('no')")
    result = kit("compare", "submissions/identity.py", broken, "submissions/finetune.py")
    assert result.exit_code == 1
    comparison = json.loads((tmp_path / "report/comparison.json").read_text())
    assert [one["submission"]["name"] for one in comparison["ranking"]] == ["finetune", "identity"]
    assert comparison["failed"][0]["name"] == "mine"
    assert "RuntimeError: no" in comparison["failed"][0]["reason"]
    places = [result.stdout.index(name) for name in ("ceiling", "finetune", "identity", "mine")]
    assert places == sorted(places)
    assert "failed" in result.stdout
    assert "RuntimeError: no" in result.stderr
    assert matplotlib.image.imread(tmp_path / "report/comparison.png").std() > 0.05
    assert (tmp_path / "report/finetune/report.json").exists()


def test_compare_says_what_score_says(kit):
    result = kit("compare", "submissions/identity.py")
    assert "Not comparable with official scores: 8 models instead of 512" in result.stdout
    assert "identity: All 8 runs left the model unchanged" in result.stdout


def test_a_model_that_was_replaced_and_not_returned_is_reported(kit, written):
    """It draws random numbers, so a fixed seed would be the wrong guess."""
    forgotten = "import copy\ndef unlearning(net, retain, forget, val):\n    net = copy.deepcopy(net)\n"
    result = kit("score", written(forgotten + "    net.fc.weight.data.normal_()\n"))
    assert result.exit_code == 0, result.stderr
    assert (
        "All 8 runs left the model unchanged: epsilon is 50 and the score 0. If the function replaces `net`"
        in result.stdout
    )
    assert "fixes its seed" not in result.stdout


def test_compare_makes_nothing_where_a_file_is_missing(kit, tmp_path):
    """After hours of training a typo would cost its row, and the comparison that was there before."""
    result = kit("compare", "submissions/identity.py", "submissions/fintune.py", "--store", tmp_path / "store")
    assert result.exit_code == 1
    assert "Did you mean submissions/finetune.py?" in result.stderr
    assert not (tmp_path / "report/comparison.json").exists()
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize("command", ["score", "compare"])
def test_a_report_that_cannot_be_written_is_reported_before_the_work(kit, tmp_path, command):
    (tmp_path / "file").touch()
    for place in (tmp_path / "file", tmp_path / "file" / "below"):
        result = kit(command, "submissions/identity.py", "--out", place, "--store", tmp_path / "store")
        assert result.exit_code == 1
        assert f"Cannot write the report to {place}" in result.stderr
        assert not (tmp_path / "store").exists()


def test_what_exceeds_the_time_budget_is_reported(kit, tmp_path):
    compared = kit("compare", "submissions/identity.py", "submissions/retrain.py").stdout
    assert "Over the time budget (0.2 of the time of retraining in the competition): retrain." in compared
    scored = kit("score", "submissions/retrain.py").stdout
    ratio = json.loads((tmp_path / "report/report.json").read_text())["time"]["ratio"]
    assert (
        f"Over the time budget: {ratio:.2f} of the time of retraining one model alone; the competition allows 0.2."
        in scored
    )
    assert "Over the time budget" not in kit("score", "submissions/identity.py").stdout


def test_a_long_name_is_broken_between_its_words(kit, tmp_path):
    """At 80 characters a line, with all columns."""
    long = tmp_path / "reinitialize_similar_gradients.py"
    long.write_text(Path("submissions/identity.py").read_text())
    lines = kit("compare", long, "submissions/retrain_last_layers.py").stdout.splitlines()
    first = next(number for number, line in enumerate(lines) if line.startswith("reinitialize"))
    assert lines[first].startswith("reinitialize_similar_ ")
    assert lines[first + 1].split() == ["gradients"]
    (short,) = (line for line in lines if line.startswith("retrain_last_layers "))
    assert len(short.split()) == 9, "a name and eight figures"
    assert len(short) <= 80


def test_compare_refuses_two_files_of_one_name_and_takes_one_file_once(kit, tmp_path):
    (tmp_path / "identity.py").write_text(Path("submissions/identity.py").read_text())
    result = kit("compare", "submissions/identity.py", tmp_path / "identity.py")
    assert result.exit_code == 1
    assert "have the same name. Rename one of them to compare them." in result.stderr
    assert kit("compare", "submissions/identity.py", "./submissions/identity.py").exit_code == 0
    ranking = json.loads((tmp_path / "report/comparison.json").read_text())["ranking"]
    assert len(ranking) == 1


@pytest.mark.parametrize("name", ["ceiling", "floor"])
def test_compare_refuses_the_names_of_its_own_rows(kit, tmp_path, name):
    (tmp_path / f"{name}.py").write_text(Path("submissions/identity.py").read_text())
    result = kit("compare", tmp_path / f"{name}.py")
    assert result.exit_code == 1
    assert f"{name}.py has the name of a reference row of the table" in result.stderr


def test_compare_works_where_hardly_anything_is_to_be_forgotten(kit, tmp_path, monkeypatch):
    """Too little for the membership attack, which is left out then."""
    digits = tasks.load("digits")
    task = replace(digits, forget=part(digits.forget, 0, 4), recipe=replace(digits.recipe, epochs=1))
    with monkeypatch.context() as patch:
        patch.setattr(tasks, "load", lambda name, data: task)
        result = kit("compare", "submissions/identity.py", "--store", tmp_path / "store")
    assert result.exit_code == 0, result.stderr
    comparison = json.loads((tmp_path / "report/comparison.json").read_text())
    assert comparison["attack_accuracy"] == {"identity": None, "ceiling": None, "floor": None}


def test_the_order_and_the_company_of_submissions_do_not_matter(kit, tmp_path):
    alone = kit("score", "submissions/random_labels.py")
    assert alone.exit_code == 0
    score = json.loads((tmp_path / "report/report.json").read_text())["unlearned"]["score"]
    assert kit("compare", "submissions/finetune.py", "submissions/random_labels.py").exit_code == 0
    ranking = json.loads((tmp_path / "report/comparison.json").read_text())["ranking"]
    assert score in [one["unlearned"]["score"] for one in ranking]


def test_a_damaged_row_is_reported_and_made_again(kit, store, tmp_path):
    copy = tmp_path / "store"
    shutil.copytree(store, copy)
    row = next(copy.glob("retrained-*")) / "00000.row"
    whole = row.read_bytes()
    row.write_bytes(whole[:-100])
    result = kit("score", "submissions/identity.py", "--store", copy)
    assert result.exit_code == 0
    assert "row 0 in" in result.stderr
    assert "is damaged; it is made again" in result.stderr
    rows = [np.load(io.BytesIO(content[32:])) for content in (whole, row.read_bytes())]
    for name in set(rows[0].files) - {"seconds", "made_by"}:
        np.testing.assert_array_equal(rows[0][name], rows[1][name])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--models", "7"], "expected at least 8 models, found 7"),
        (["--models", "many"], "Invalid value for '--models'"),
        (["--device", "tpu9"], "'tpu9' is unavailable on this machine"),
        (["--backend", "cloud"], "expected one of processes, serial, found 'cloud'"),
        (["--seed", "-1"], "Invalid value for '--seed'"),
        (["--workers", "0"], "Invalid value for '--workers'"),
    ],
)
def test_bad_options(kit, options, message):
    result = kit("score", "submissions/identity.py", *options)
    assert result.exit_code == 2
    assert message in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--task", "digit"], "There is no task 'digit'. Did you mean 'digits'?"),
        (["--task", "faces:10"], "faces: expected at least 600 pictures, found 10"),
        (["--task", "digits", "--data", "."], "The task digits reads no folder"),
        (["--task", "surf"], "CASIA-SURF is not in out/data/casia-surf"),
    ],
)
def test_a_task_that_is_unavailable(kit, options, message):
    result = kit("score", "submissions/identity.py", *options)
    assert result.exit_code == 1
    assert message in result.stderr
    assert "Traceback" not in result.stderr


def test_a_store_that_cannot_be_written(kit, tmp_path):
    (tmp_path / "file").write_text("in the way")
    result = kit("score", "submissions/identity.py", "--store", tmp_path / "file" / "below")
    assert result.exit_code == 1
    assert "Not a directory. Make room, or name another folder" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_disk_that_fills_up_loses_nothing(store, tmp_path):
    copy = tmp_path / "store"
    shutil.copytree(store, copy, ignore=shutil.ignore_patterns("finetune-*"))
    limited = "import resource, runpy; resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000)); " + (
        "runpy.run_module('scoring', run_name='__main__')"
    )
    command = [sys.executable, "-c", limited, *command_line(copy, tmp_path)[3:], "--backend", "serial"]
    result = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert result.returncode == 1
    assert "Make room, or name another folder with STORE= or OUT=" in result.stderr
    assert "Traceback" not in result.stderr
    result = subprocess.run(command_line(copy, tmp_path), capture_output=True, text=True, cwd=ROOT)
    assert result.returncode == 0, result.stderr


def test_help_names_every_command():
    result = subprocess.run([sys.executable, "-m", "scoring", "--help"], capture_output=True, text=True, cwd=ROOT)
    assert result.returncode == 0
    for command in ("score", "compare", "judge"):
        assert command in result.stdout
