"""`unlearning-kit score`, from the command to the files that it leaves, and what may go wrong on the way."""

import io
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest

from scoring import epsilons, forgetting_quality
from scoring.reports.files import load_outputs
from scoring.reports.record import Report
from tests.conftest import MODELS, command_line

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
    assert f"An exact method scores {low:.3f} to {high:.3f} in about 95% of runs" in result.stdout
    assert "With 8 models the largest finite epsilon is 1.95" in result.stdout
    assert "Not comparable with official scores: 8 models instead of 512" in result.stdout


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
    time = json.loads((tmp_path / "report/report.json").read_text())["time"]
    low, high = (time["ratio"] + sign * 2 * time["error"] for sign in (-1, 1))
    assert time["verdict"] == "over"
    assert (
        f"Over the time budget: {time['ratio']:.2f} of the time of retraining one model alone ({low:.2f} to "
        f"{high:.2f}); the competition allows 0.2." in scored
    )
    assert "Over the time budget" not in kit("score", "submissions/identity.py").stdout


def test_a_damaged_row_is_reported_and_made_again(kit, store, tmp_path):
    copy = tmp_path / "store"
    shutil.copytree(store, copy)
    # Other tests may have left other pools.
    before = {row: row.read_bytes() for row in copy.glob("retrained-*/00000.row")}
    for row, whole in before.items():
        row.write_bytes(whole[:-100])
    result = kit("score", "submissions/identity.py", "--store", copy)
    assert result.exit_code == 0
    assert "row 0 in" in result.stderr
    assert "is damaged; it is made again" in result.stderr
    ((row, whole),) = ((row, whole) for row, whole in before.items() if len(row.read_bytes()) >= len(whole))
    rows = [np.load(io.BytesIO(content[32:])) for content in (whole, row.read_bytes())]
    for name in set(rows[0].files) - {"seconds", "made_by"}:
        np.testing.assert_array_equal(rows[0][name], rows[1][name])


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


def test_a_file_that_may_be_a_strangers_is_warned_of(kit, written):
    said = kit("score", written("def unlearning(net, retain, forget, val): net.fc.weight.data.normal_()\n")).stderr
    assert "mine.py is not in submissions/. Unless you wrote all of this code yourself, add SANDBOX=bwrap" in said
    assert "not in submissions/" not in kit("score", "submissions/identity.py").stderr
