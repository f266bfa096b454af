"""How far judges agree: the table, from comparisons with known orders."""

from tests.benchmarks.agreement import PRIZES, filled
from tests.benchmarks.ranking import Compared, Row

PAGE = "before\n<!-- agreement task=digits models=64 seeds=0 -->\nold\n<!-- end -->\nafter\n"
CEILING = {"score": 0.2, "forget": 0.9, "attack": 0.55, "population": 0.5, "u_lira": 0.5, "klom": 0.1}


def judged(score, u_lira, attack):
    """A submission that U-LiRA and the starting kit's attack see differently."""
    return Row([score], {"score": score, "attack": attack, "population": None, "u_lira": u_lira, "klom": 3.0})


def write(rows):
    """The page with the table of these rows."""
    every = rows | {"ceiling": Row([0.2], CEILING), "floor": Row([0.0], CEILING | {"score": 0.0})}
    return filled(PAGE, lambda *_: Compared(every, [], []))


def table_of(page):
    rows = [line[2:-2].split(" | ") for line in page.splitlines() if line.startswith("| ")]
    return {row[0]: dict(zip(rows[0][1:], row[1:], strict=True)) for row in rows[1:]}


def test_judges_that_see_the_same_correlate_and_others_do_not():
    names = ("best", "good", "poor", "worst")
    page = write({name: judged(0.1 / (k + 1), 0.5 + 0.1 * k, 0.4 + 0.05 * k) for k, name in enumerate(names)})
    table = table_of(page)
    assert table["score"]["U-LiRA"] == "1.00"
    assert table["score"]["attack"] == "-1.00", "the attack is furthest from retrained models where the score is best"
    assert table["U-LiRA"]["attack"] == "-1.00"
    assert table["attack"]["ranks higher than the score does"].split(", ") == ["worst", "poor"]
    assert table["attack"]["ranks lower"].split(", ") == ["best", "good"]
    assert table["U-LiRA"]["ranks lower"] == "", "where ranks agree there is nothing to name"
    assert "population attack" not in table, "it has not judged"
    assert page.startswith("before\n")
    assert page.endswith("<!-- end -->\nafter\n")
    assert "old" not in page
    assert "unknown" in page, "the winners were not compared"


def test_final_ranks_are_compared_with_published_and_tuned_constants():
    """Of the 40,320 orders of eight, only the two monotonous ones correlate as strongly."""
    published = {name: judged(0.1 / (k + 1), 0.5 + 0.01 * k, 0.5) for k, name in enumerate(PRIZES)}
    tuned = {f"{name}_tuned": judged(0.01 * (k + 1), 0.7, 0.5) for k, name in enumerate(PRIZES)}
    page = write(published | tuned)
    assert "+1.00 with published constants (p = 0.00), -1.00 with tuned constants (p = 0.00)" in page


def test_winners_that_were_measured_on_one_seed_are_compared_on_that():
    rows = {name: judged(0.1 / (k + 1), 0.5 + 0.01 * k, 0.5) for k, name in enumerate(PRIZES)}
    rows["reset_layers_distill"] = Row([0.9, None], {"score": 0.9})
    page = write(rows)
    assert "with published constants on the first seed (p =" in page
    assert "+1.00" not in page
    assert "over 7 rows" in page


def test_an_order_by_chance_has_a_large_p():
    scores = (0.4, 0.1, 0.8, 0.3, 0.6, 0.2, 0.7, 0.5)
    page = write({name: judged(score, 0.5 + score, 0.5) for name, score in zip(PRIZES, scores, strict=True)})
    # scipy.stats.permutation_test finds the same p.
    assert "-0.26 with published constants (p = 0.54)" in page


def test_writing_it_again_changes_nothing():
    rows = {name: judged(0.1 * k, 0.5 + 0.1 * k, 0.4) for k, name in enumerate("abc")}
    page = write(rows)
    every = rows | {"ceiling": Row([0.2], CEILING)}
    assert filled(page, lambda *_: Compared(every, [], [])) == page


def test_two_submissions_have_no_correlation():
    page = write({name: judged(0.1 * k, 0.5 + 0.1 * k, 0.4) for k, name in enumerate("ab")})
    assert "Too few submissions for a rank correlation." in page
    assert "| score |" not in page
