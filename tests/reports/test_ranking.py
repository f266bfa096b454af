"""Tables that are written into a page."""

import json
from statistics import mean

import pytest

from scoring.cli import app
from scoring.reports import seeds
from scoring.reports.comparison_record import ComparisonRecord
from scoring.reports.files import folder_of, folder_of_seeds
from scoring.reports.ranking import with_tables
from scoring.reports.seeds import SeedsRecord, SeedsRow
from starter_kit.errors import InputError
from tests.conftest import MODELS

PAGE = """# Results

Before.

<!-- ranking task=digits models=8 seeds=0,1 -->
old text
<!-- end -->

After.
"""


@pytest.fixture
def reports(kit, tmp_path):
    """The comparison of one seed, and a copy of it that claims another seed and other scores; and their summary."""
    assert kit("compare", "submissions/finetune.py", "submissions/identity.py").exit_code == 0
    found = json.loads((tmp_path / "report/comparison.json").read_text())
    first = found["ranking"][0]["unlearned"]["score"]["value"]
    for seed in (0, 1):
        found["seed"] = seed
        if seed:
            found["ranking"][0]["unlearned"]["score"]["value"] = 0.5
        folder = folder_of(tmp_path / "reports", "digits", seed, MODELS, "comparison")
        folder.mkdir(parents=True)
        (folder / "comparison.json").write_text(json.dumps(found))
        ComparisonRecord.model_validate(found)
    scores = {one["submission"]["name"]: one["unlearned"]["score"]["value"] for one in found["ranking"]}
    rows = [row("finetune", [first, 0.5], 1), row("identity", [scores["identity"]] * 2, 2)]
    summary = SeedsRecord(task="digits", models=MODELS, seeds=[0, 1], ceilings=[0.2, 0.2], rows=rows, left_out=[])
    seeds.write(summary, folder_of_seeds(tmp_path / "reports", "digits", (0, 1), MODELS, "comparison"))
    return tmp_path / "reports"


def row(name, scores, group):
    summary = {"mean": mean(scores), "deviation": 0.2, "interval": (0.25, 0.36)}
    return SeedsRow(name=name, scores=scores, intervals=[None, None], group=group, **summary)


def cells_of(page):
    return [line[2:-2].split(" | ") for line in page.splitlines() if line.startswith("| ")]


def test_a_table_is_ranked_by_the_mean_over_seeds(reports):
    written = with_tables(PAGE, reports)
    assert "old text" not in written
    assert written.startswith("# Results\n\nBefore.\n")
    assert written.endswith("<!-- end -->\n\nAfter.\n")
    rows = cells_of(written)
    assert rows[0][:5] == ["submission", "score", "by seed", "95% interval", "group"]
    assert rows[1][0] == "finetune"
    assert {row[0] for row in rows[2:]} == {"identity", "*ceiling*", "*floor*"}
    first, second = rows[1][2].split(" / ")
    assert second == "0.5000"
    assert float(rows[1][1]) == pytest.approx((float(first) + 0.5) / 2, abs=1e-4)
    assert rows[1][3:5] == ["0.2500 to 0.3600", "1"]
    assert {len(row) for row in rows} == {len(rows[0])}
    assert "`make compare TASK=digits MODELS=8 SEEDS=0,1`" in written


def test_tuned_and_published_constants_share_a_row(reports):
    for seed in (0, 1):
        path = folder_of(reports, "digits", seed, MODELS, "comparison") / "comparison.json"
        found = json.loads(path.read_text())
        tuned = json.loads(json.dumps(found["ranking"][1]))
        tuned["submission"]["name"], tuned["unlearned"]["score"]["value"] = "identity_tuned", 0.75
        found["ranking"].append(tuned)
        path.write_text(json.dumps(found))
    rows = cells_of(with_tables(PAGE, reports))
    assert rows[0][1:9] == [
        *("tuned score", "tuned by seed", "tuned 95% interval", "tuned group"),
        *("published score", "published by seed", "published 95% interval", "published group"),
    ]
    assert rows[1][:2] == ["identity", "0.7500"]
    assert rows[1][5] == "0.0000"
    assert len(rows) == 5
    assert {len(row) for row in rows} == {len(rows[0])}


def test_a_table_of_a_few_rows(reports):
    page = PAGE.replace("seeds=0,1", "seeds=0,1 rows=finetune,ceiling")
    rows = cells_of(with_tables(page, reports))
    assert rows[0] == ["submission", "score", "by seed", "95% interval", "group", "retain", "forget", "test"]
    assert len(rows) == 3


def test_writing_it_again_changes_nothing(reports):
    once = with_tables(PAGE, reports)
    assert with_tables(once, reports) == once


def test_a_single_seed_needs_no_columns_of_its_own(reports):
    written = with_tables(PAGE.replace("seeds=0,1", "seeds=1"), reports)
    assert "| submission | score | 95% interval | group | retain |" in written
    assert "means over the seeds" not in written


def test_a_missing_comparison_names_its_command(reports):
    with pytest.raises(InputError, match="Run make compare TASK=digits MODELS=8 SEED=7"):
        with_tables(PAGE.replace("seeds=0,1", "seeds=7"), reports)


def test_a_comparison_of_something_else_is_refused(reports):
    path = folder_of(reports, "digits", 0, MODELS, "comparison") / "comparison.json"
    path.write_text(path.read_text().replace('"task": "digits"', '"task": "faces"', 1))
    with pytest.raises(InputError, match=r"is a comparison on faces, seed 0, 8 models\. Expected digits, seed 0"):
        with_tables(PAGE, reports)


def test_a_comparison_in_which_all_failed_is_refused(reports):
    path = folder_of(reports, "digits", 0, MODELS, "comparison") / "comparison.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"ranking": []}))
    with pytest.raises(InputError, match="no submission was scored"):
        with_tables(PAGE, reports)


def test_a_summary_of_other_runs_is_refused(reports):
    path = folder_of(reports, "digits", 1, MODELS, "comparison") / "comparison.json"
    found = json.loads(path.read_text())
    found["ranking"][0]["unlearned"]["score"]["value"] = 0.25
    path.write_text(json.dumps(found))
    with pytest.raises(InputError, match=r"comparison of seed 1 are of different runs\. Run make compare TASK=digits"):
        with_tables(PAGE, reports)


def test_a_row_that_was_not_compared_is_missed(reports):
    with pytest.raises(InputError, match="asks for a row nobody, which was not compared"):
        with_tables(PAGE.replace("seeds=0,1", "seeds=0,1 rows=nobody"), reports)


def test_a_comparison_of_another_version_is_refused(reports):
    path = folder_of(reports, "digits", 1, MODELS, "comparison") / "comparison.json"
    path.write_text(json.dumps({"schema_version": 1}))
    with pytest.raises(InputError, match="is not a comparison of this version of the kit"):
        with_tables(PAGE, reports)


def test_the_command_reports_a_page_that_does_not_exist(tmp_path):
    from typer.testing import CliRunner

    result = CliRunner().invoke(app, ["tables", str(tmp_path / "none.md")])
    assert result.exit_code == 1
    assert "none.md: No such file or directory" in result.stderr
