"""Several seeds at once, for `score` and `compare`; and the columns of `compare`."""

import json
from statistics import mean

import pytest

from scoring.reports.columns import COLUMNS
from scoring.reports.record import Report
from scoring.reports.seeds import SeedsRecord
from tests.conftest import make_pools

pytestmark = pytest.mark.usefixtures("brief_training", "few_splits")

FILES = ("submissions/weight_noise.py", "submissions/identity.py")


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """A store for the pools of all seeds."""
    return tmp_path_factory.mktemp("seeds")


def read(path):
    return SeedsRecord.model_validate_json(path.read_text())


def test_each_seed_has_a_report_and_the_mean_is_over_them(kit, tmp_path, shared):
    result = kit("score", FILES[0], "--seeds", "0,1", "--store", shared)
    assert result.exit_code == 0, result.stderr
    reports = [
        Report.model_validate_json((tmp_path / f"report/seed-{seed}/report.json").read_text()) for seed in (0, 1)
    ]
    assert [report.run.seed for report in reports] == [0, 1]
    assert reports[0].run.reference != reports[1].run.reference
    record = read(tmp_path / "report/seeds.json")
    (row,) = record.rows
    assert row.scores == [report.unlearned.score.value for report in reports]
    assert row.mean == pytest.approx(mean(row.scores))
    assert row.deviation == pytest.approx(abs(row.scores[0] - row.scores[1]) / 2**0.5)
    assert record.ceilings == [report.ceiling.value for report in reports]
    assert f"{row.mean:.4f}" in result.stdout
    assert row.interval is None
    assert "No confidence interval: it takes at least 32 models per pool." in result.stdout


FAILS_ON_ONE = """
import torch

def unlearning(net, retain, forget, val):
    first = next(net.parameters())
    if first.sum() > WHERE:
        raise RuntimeError("on this original only")
    with torch.no_grad():
        first.add_(0.01 * torch.randn_like(first))
"""


def test_compare_summarises_what_all_seeds_have(kit, tmp_path, shared, written):
    """A submission that fails on one original is in that comparison's errors, and named where the mean is missing."""
    sums = [float(next(iter(make_pools(shared, seed=seed).original.weights.values())).sum()) for seed in (0, 1)]
    half = written(FAILS_ON_ONE.replace("WHERE", str(sum(sums) / 2)))
    never = half.with_name("never.py")
    never.write_text(FAILS_ON_ONE.replace("WHERE", "-1e9"))
    result = kit("compare", *FILES, half, never, "--seeds", "0,1", "--store", shared)
    assert result.exit_code == 1
    assert "on this original only" in result.stderr
    record = read(tmp_path / "report/seeds.json")
    means = [row.mean for row in record.rows]
    assert means == sorted(means, reverse=True)
    assert {row.name for row in record.rows} == {"weight_noise", "identity"}
    assert record.left_out == ["mine", "never"]
    assert "Left out, without a score on at least one seed: mine, never." in " ".join(result.stdout.split())
    for seed in (0, 1):
        found = json.loads((tmp_path / f"report/seed-{seed}/comparison.json").read_text())
        scores = {one["submission"]["name"]: one["unlearned"]["score"]["value"] for one in found["ranking"]}
        assert ("mine" in scores) == (sums[seed] < sum(sums) / 2)
        assert {row.name: row.scores[seed] for row in record.rows}.items() <= scores.items()


def test_rows_that_are_there_are_not_made_again(kit, tmp_path, shared):
    result = kit("score", FILES[0], "--seeds", "1,0", "--store", shared)
    assert "made in" not in result.stderr
    assert read(tmp_path / "report/seeds.json").seeds == [1, 0]


@pytest.mark.parametrize(
    ("seeds", "message"),
    [
        ("0,0", "expected different seeds, found '0,0'"),
        ("0,x", "expected a whole number from 0"),
        ("", "expected a whole number from 0"),
    ],
)
def test_seeds_that_are_refused(kit, seeds, message):
    result = kit("score", FILES[0], "--seeds", seeds)
    assert result.exit_code == 2
    assert message in result.stderr


def test_one_seed_and_several_exclude_each_other(kit):
    result = kit("score", FILES[0], "--seeds", "0,1", "--seed", 3)
    assert result.exit_code == 2
    assert "expected SEED or SEEDS, found both: 3 and 0,1" in result.stderr


def test_checkpoints_belong_to_one_original(kit, tmp_path):
    result = kit("score", "--checkpoints", tmp_path, "--seeds", "0,1")
    assert result.exit_code == 1
    assert "Checkpoints come from one original model" in result.stderr


def test_columns_can_be_chosen(kit, shared):
    shown = kit("compare", *FILES, "--columns", "u_lira,klom,population", "--store", shared).stdout
    heading = next(line for line in shown.splitlines() if "U-LiRA" in line)
    assert "KLoM" in heading
    assert "retain" not in shown
    row = next(line for line in shown.splitlines() if line.startswith("identity"))
    assert row.split()[2] == "1.000", "models that are all alike are always recognised"


def test_an_unknown_column_lists_those_that_exist(kit):
    result = kit("compare", *FILES, "--columns", "retain,speed")
    assert result.exit_code == 1
    assert f"There is no column speed. Expected some of {','.join(COLUMNS)}." in result.stderr


def test_too_few_models_have_no_groups(kit, tmp_path, shared):
    assert kit("compare", *FILES, "--store", shared).exit_code == 0
    assert json.loads((tmp_path / "report/comparison.json").read_text())["groups"] is None
