"""Tables that are written into a page."""

import json

import pytest

from scoring.cli import app
from scoring.reports.comparison import ComparisonRecord
from scoring.reports.files import folder_of
from scoring.reports.ranking import with_tables
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
    """The comparison of one seed, and a copy of it that claims another seed and other scores."""
    assert kit("compare", "submissions/finetune.py", "submissions/identity.py").exit_code == 0
    found = json.loads((tmp_path / "report/comparison.json").read_text())
    for seed in (0, 1):
        found["seed"] = seed
        if seed:
            found["ranking"][0]["unlearned"]["score"]["value"] = 0.5
        folder = folder_of(tmp_path / "reports", "digits", seed, MODELS, "comparison")
        folder.mkdir(parents=True)
        (folder / "comparison.json").write_text(json.dumps(found))
        ComparisonRecord.model_validate(found)
    return tmp_path / "reports"


def test_a_table_is_ranked_by_the_mean_over_seeds(reports):
    written = with_tables(PAGE, reports)
    assert "old text" not in written
    assert written.startswith("# Results\n\nBefore.\n")
    assert written.endswith("<!-- end -->\n\nAfter.\n")
    rows = [line.split(" | ") for line in written.splitlines() if line.startswith("| ")]
    assert rows[0][:3] == ["| submission", "score, seed 0", "score, seed 1"]
    names = [row[0].removeprefix("| ") for row in rows[1:]]
    assert names[0] == "finetune"
    assert set(names) == {"finetune", "identity", "*ceiling*", "*floor*"}
    assert rows[1][2] == "0.5000"
    assert {len(row) for row in rows} == {len(rows[0])}
    assert "`make compare TASK=digits MODELS=8` with `SEED=0` and `SEED=1`" in written


def test_a_table_of_a_few_rows(reports):
    page = PAGE.replace("seeds=0,1", "seeds=0,1 rows=finetune,ceiling")
    rows = [line for line in with_tables(page, reports).splitlines() if line.startswith("| ")]
    assert rows[0] == "| submission | score, seed 0 | score, seed 1 | retain | forget | test |"
    assert len(rows) == 3


def test_writing_it_again_changes_nothing(reports):
    once = with_tables(PAGE, reports)
    assert with_tables(once, reports) == once


def test_a_single_seed_needs_no_columns_of_its_own(reports):
    written = with_tables(PAGE.replace("seeds=0,1", "seeds=1"), reports)
    assert "| submission | score | forgetting quality | retain |" in written
    assert "Columns other than" not in written


def test_a_missing_comparison_names_its_command(reports):
    with pytest.raises(InputError, match="Run make compare TASK=digits MODELS=8 SEED=7"):
        with_tables(PAGE.replace("seeds=0,1", "seeds=7"), reports)


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
