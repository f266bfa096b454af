"""`unlearning-kit judge`: a score computed again from saved outputs."""

import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from scoring.reports.files import load_outputs
from tests.benchmarks.simulated import Setting, pools

ROOT = Path(__file__).parents[2]


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
        (
            "broken.npz",
            "expected outputs saved by `make score`; this is not a complete, uncompressed .npz file",
        ),
        ("none.npz", "No such file or directory. `make score` writes"),
    ):
        result = judge(tmp_path / name, tmp_path / name)
        assert result.returncode == 1
        assert message in result.stderr
        assert "Traceback" not in result.stderr


def test_a_score_whose_interval_cannot_be_computed_is_shown(invoke, tmp_path):
    """One of 32 retrained models has learned something, so half of each cut has nothing to divide by."""
    retrained, unlearned = pools(Setting(32, 0.0), 0)
    accuracy = np.zeros(32)
    accuracy[0] = 0.5
    files = {"unlearned.npz": unlearned["null"], "retrained.npz": replace(retrained, test_accuracy=accuracy)}
    for name, outputs in files.items():
        (tmp_path / name).write_bytes(outputs.to_bytes())
    result = invoke("judge", *(tmp_path / name for name in files))
    assert result.exit_code == 0, result.stderr
    assert "score" in result.stdout
    assert "in some halves of the retrained pool, all models have zero accuracy" in " ".join(result.output.split())
