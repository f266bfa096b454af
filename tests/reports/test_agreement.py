"""How far judges agree: the table, from comparisons with known orders."""

import pytest

from scoring.reports.agreement import PRIZES, with_tables
from scoring.reports.comparison_record import ComparisonRecord
from scoring.reports.files import folder_of
from tests.reports.test_language import one

PAGE = "before\n<!-- agreement task=digits models=64 seeds=0 -->\nold\n<!-- end -->\nafter\n"
CEILING = {"score": 0.2, "forget": 0.9, "attack": 0.55, "population": 0.5, "u_lira": 0.5, "klom": 0.1}


def judged(name, score, u_lira, attack):
    """A submission that U-LiRA and the starting kit's attack see differently."""
    judges = {"attack": attack, "population": None, "u_lira": u_lira, "u_lira_tpr": 0.5, "klom": 3.0, "klom_test": 1.0}
    return one(name, score, judges=judges)


@pytest.fixture
def write(tmp_path):
    """Write a comparison, and give the page with its table."""

    def written(reports):
        record = ComparisonRecord(
            title="digits",
            command="make compare",
            task="digits",
            seed=0,
            models=64,
            ranking=reports,
            groups=None,
            band=(0.1, 0.2),
            reference={"ceiling": CEILING, "floor": CEILING | {"score": 0.0}},
            failed=[],
            unsuited=[],
        )
        folder = folder_of(tmp_path, "digits", 0, 64, "comparison")
        folder.mkdir(parents=True)
        (folder / "comparison.json").write_text(record.model_dump_json())
        return with_tables(PAGE, tmp_path)

    return written


def table_of(page):
    rows = [line[2:-2].split(" | ") for line in page.splitlines() if line.startswith("| ")]
    return {row[0]: dict(zip(rows[0][1:], row[1:], strict=True)) for row in rows[1:]}


def test_judges_that_see_the_same_correlate_and_others_do_not(write):
    names = ("best", "good", "poor", "worst")
    page = write([judged(name, 0.1 / (k + 1), 0.5 + 0.1 * k, 0.4 + 0.05 * k) for k, name in enumerate(names)])
    table = table_of(page)
    assert table["score"]["U-LiRA"] == "1.00"
    assert table["score"]["attack"] == "-1.00", "the attack is furthest from retrained models where the score is best"
    assert table["U-LiRA"]["attack"] == "-1.00"
    assert table["attack"]["ranks higher than the score does"].split(", ")[0] == "worst"
    assert table["attack"]["ranks lower"].split(", ")[0] == "best"
    assert "population attack" not in table, "it has not judged"
    assert page.startswith("before\n")
    assert page.endswith("<!-- end -->\nafter\n")
    assert "old" not in page
    assert "unknown" in page, "the winners were not compared"


def test_the_order_of_the_prizes_is_compared_with_published_and_tuned_constants(write):
    published = [judged(name, 0.1 / (k + 1), 0.5 + 0.01 * k, 0.5) for k, name in enumerate(PRIZES)]
    tuned = [judged(f"{name}_tuned", 0.01 * (k + 1), 0.7, 0.5) for k, name in enumerate(PRIZES)]
    page = write(published + tuned)
    assert "+1.00 with published constants (p = 0.00), -1.00 with tuned constants (p = 0.00)" in page


def test_writing_it_again_changes_nothing(write, tmp_path):
    page = write([judged(name, 0.1 * k, 0.5 + 0.1 * k, 0.4) for k, name in enumerate("abc")])
    assert with_tables(page, tmp_path) == page


def test_two_submissions_have_no_correlation(write):
    page = write([judged(name, 0.1 * k, 0.5 + 0.1 * k, 0.4) for k, name in enumerate("ab")])
    assert "Too few submissions for a rank correlation." in page
    assert "| score |" not in page
