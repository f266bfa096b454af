"""The tables of methods on text."""

import numpy as np
import pytest

from scoring.reports.comparison_record import ComparisonRecord
from scoring.reports.language import with_tables
from scoring.reports.record import Generated, Relearning, TextRecord
from starter_kit.errors import InputError
from tests.judging.test_score import outputs
from tests.reports.test_learners import HOST
from tests.reports.test_table import report

MARKS = "before\n<!-- language {} -->\nold\n<!-- end -->\nafter\n"
TEXT = TextRecord(
    forget_quality=0.4,
    passing=0.9,
    retrained_quality=0.5,
    truth_ratio=0.8,
    utility=0.7,
    retrained_utility=0.8,
    original_utility=0.8,
    conversations=[],
)
AGAIN = Relearning(steps=[0, 32], unlearned=[0.3, 0.55], retrained=[0.3, 0.31], original=[1.0, 1.0])


def one(name, score, **changes):
    plain = report()
    pool = plain.unlearned.model_copy(
        update={"score": plain.unlearned.score.model_copy(update={"value": score})},
    )
    return plain.model_copy(
        update={
            "submission": plain.submission.model_copy(update={"name": name}),
            "run": plain.run.model_copy(update={"host": HOST}),
            "unlearned": pool,
            **changes,
        }
    )


def write(folder, reports, seed=0):
    record = ComparisonRecord(
        title="digits",
        command="make compare",
        task="any",
        seed=seed,
        models=64,
        ranking=reports,
        groups=None,
        band=(0.1, 0.2),
        reference={},
        failed=[],
        unsuited=[],
    )
    folder.mkdir(parents=True)
    (folder / "comparison.json").write_text(record.model_dump_json())
    (folder / reports[0].submission.name).mkdir()
    confidence = np.linspace(-8, 2, 11)[None] + np.zeros((8, 1))
    (folder / reports[0].submission.name / "retrained.npz").write_bytes(outputs(confidence).to_bytes())


def quality(value, passing):
    return TEXT.model_copy(update={"forget_quality": value, "passing": passing})


def rows(page):
    return [line.split(" | ")[0].removeprefix("| ") for line in page.splitlines() if line.startswith("| ")]


def test_methods_are_ranked_by_their_mean_over_seeds(tmp_path):
    first = [one("a", 0.09, text=quality(0.001, 0.0)), one("b", 0.05, text=quality(0.6, 0.9)), one("lost", 0.2)]
    second = [one("b", 0.15, text=quality(0.4, 0.9)), one("a", 0.07, text=quality(0.003, 0.0))]
    write(tmp_path / "language/authors-0", first)
    write(tmp_path / "language/authors-1", second, seed=1)
    page = with_tables(MARKS.format("authors"), tmp_path)
    assert rows(page) == ["submission", "b", "a"], "one that lacks a seed has no mean"
    assert "| b | 0.1000 | 0.050 / 0.150 |" in page
    assert "| 0.500 | 0.90 |" in page
    assert "over 2 methods: 1.00." in page
    assert "1 methods pass" not in page
    assert "`b`, reaches 50% of the ceiling" in page
    assert "runs from -8.0 to 2.0" in page
    assert "seeds 0, 1" in page
    assert "old" not in page
    assert page.endswith("<!-- end -->\nafter\n")


def test_what_comes_back_stands_beside_the_accuracy(tmp_path):
    write(tmp_path / "language/hazards", [one("a", 0.09, relearning=AGAIN)])
    page = with_tables(MARKS.format("hazards"), tmp_path)
    assert rows(page) == ["submission", "a", "*retrained*", "*original*"]
    (row,) = [line for line in page.splitlines() if line.startswith("| a |")]
    assert "| 0.550 |" in row
    assert "| 0.310 |" in page
    assert "| 1.000 |" in page


def test_a_request_in_words_stands_beside_the_true_rows(tmp_path):
    wrote = Generated(examples=72, found=1.0, wrong=0.06)
    write(tmp_path / "language/concept", [one("generate_then_forget", 0.03, generated=wrote)])
    write(tmp_path / "language/listed", [one("simnpo", 0.04)])
    page = with_tables(MARKS.format("concept"), tmp_path)
    assert rows(page) == ["submission", "generate_then_forget", "simnpo"]
    assert "| 72 | 1.00 | 0.06 |" in page
    assert "| simnpo | the true rows | 0.0400 |" in page


@pytest.mark.parametrize("name", ["authors", "hazards", "concept"])
def test_without_comparisons_a_sentence_names_the_command(tmp_path, name):
    with pytest.raises(InputError, match="Run make language"):
        with_tables(MARKS.format(name), tmp_path)
