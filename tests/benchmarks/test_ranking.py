"""Tables that are written into a page: what they show, in which order, and what they leave out."""

import pytest

from scoring.reports.seeds import SeedsRow
from tests.benchmarks.ranking import Compared, Row, filled

PAGE = """# Results

Before.

<!-- ranking task=digits models=64 seeds=0,1 -->
old text
<!-- end -->

After.
"""
HOST = {"python": "3", "torch": "2", "numpy": "2", "cpu": "a processor", "cpu_capability": "AVX2", "device": "cpu"}


def row(scores, group=None, retain=0.9):
    """A row; a submission has a group, the ceiling and the floor have none."""
    score = sum(scores) / len(scores)
    summary = SeedsRow(
        name="",
        scores=scores,
        intervals=[None] * len(scores),
        mean=score,
        deviation=0.1,
        interval=(0.25, 0.36),
        group=group,
    )
    return Row(scores, {"score": score, "retain": retain}, summary if group else None)


ROWS = {
    "ceiling": row([0.3, 0.32]),
    "floor": row([0.0, 0.0]),
    "worse": row([0.1, 0.12], group=2),
    "better": row([0.2, 0.24], group=1),
}
TUNED = ROWS | {"worse_tuned": row([0.26, 0.26], group=1, retain=0.8)}


def source(rows, asked=None, left_out=()):
    def compared(*what):
        if asked is not None:
            asked.append(what)
        return Compared(rows, [(0.1, 0.3)] * len(what[1]), [HOST], left_out)

    return compared


def cells_of(page):
    return [line[2:-2].split(" | ") for line in page.splitlines() if line.startswith("| ")]


def test_a_table_is_ranked_by_the_mean_over_seeds():
    asked = []
    written = filled(PAGE, source(ROWS, asked))
    assert asked == [("digits", [0, 1], 64)]
    assert "old text" not in written
    assert written.startswith("# Results\n\nBefore.\n")
    assert written.endswith("<!-- end -->\n\nAfter.\n")
    rows = cells_of(written)
    assert rows[0][:6] == ["submission", "score", "by seed", "95% interval", "group", "retain"]
    assert [cells[0] for cells in rows[1:]] == ["*ceiling*", "better", "worse", "*floor*"]
    assert rows[2][:6] == ["better", "0.2200", "0.2000 / 0.2400", "0.2500 to 0.3600", "1", "0.900"]
    assert rows[1][3:5] == ["", ""]
    assert {len(cells) for cells in rows} == {len(rows[0])}


def test_tuned_and_published_constants_share_a_row_that_is_ranked_by_the_tuned_score():
    rows = cells_of(filled(PAGE, source(TUNED)))
    headings = ["score", "by seed", "95% interval", "group", "published score", "published 95% interval"]
    assert rows[0][1:7] == headings
    assert [cells[0] for cells in rows[1:]] == ["*ceiling*", "worse", "better", "*floor*"]
    worse, better = rows[2], rows[3]
    assert (worse[1], worse[5], worse[7]) == ("0.2600", "0.1100", "0.800"), "accuracies are those of the tuned file"
    assert (better[1], better[5:7], better[7]) == ("0.2200", ["", ""], "0.900"), "nothing was found for this one"
    assert {len(cells) for cells in rows} == {len(rows[0])}


def test_a_row_of_one_seed_is_explained():
    slow = Row([0.05, None], {"score": 0.05}, row([0.05], group=1).summary.model_copy(update={"group": None}))
    page = filled(PAGE, source(TUNED | {"worse": slow}))
    worse = next(cells for cells in cells_of(page) if cells[0] == "worse")
    assert worse[1] == "0.2600"
    assert worse[5:7] == ["0.0500", "0.2500 to 0.3600"]
    assert "exceed the time budget are measured on the first seed only" in page
    assert "on the first seed only" not in filled(PAGE, source(TUNED))


def test_a_table_of_a_few_rows_is_short():
    page = PAGE.replace("seeds=0,1", "seeds=0,1 rows=worse,ceiling")
    rows = cells_of(filled(page, source(TUNED)))
    assert rows[0] == ["submission", "score", "95% interval", "published score", "retain", "forget", "test"]
    assert [cells[0] for cells in rows[1:]] == ["*ceiling*", "worse"]


def test_writing_it_again_changes_nothing():
    once = filled(PAGE, source(TUNED))
    assert filled(once, source(TUNED)) == once


def test_a_single_seed_needs_no_columns_of_its_own():
    written = filled(PAGE.replace("seeds=0,1", "seeds=1"), source(ROWS))
    assert "| submission | score | 95% interval | group | retain |" in written
    assert "means over the seeds" not in written


def test_what_is_left_out_is_named():
    assert "do not run on this task: npo, rmu." in filled(PAGE, source(ROWS, left_out=["npo", "rmu"]))
    assert "Left out" not in filled(PAGE, source(ROWS))


def test_a_row_that_was_not_measured_is_missed():
    with pytest.raises(KeyError, match="nobody"):
        filled(PAGE.replace("seeds=0,1", "seeds=0,1 rows=nobody"), source(ROWS))
