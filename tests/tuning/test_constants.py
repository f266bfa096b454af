"""The constants of a submission: which can be tuned, in which bounds, and writing others in their place."""

from pathlib import Path

import pytest

from scoring.tuning.constants import constants_of, with_constants
from scoring.untrusted.submission import Submission
from starter_kit.errors import SubmissionError
from starter_kit.kaggle.bundle import bundle

HOOK = "\n\ndef unlearning(net, retain, forget, val):\n    pass\n"
SOURCE = '''"""Été: a method."""

EPOCHS = 3
RATE: float = 0.01
SHARE, OTHER = 0.5, 1
MOMENTUM = 0.9  # ≤ 1
OFF = 0
USE = True
NAME = "text"
LARGE = 1_000.0
lower = 2.0
'''


def submission(source):
    return Submission(Path("mine.py"), source + HOOK)


def bounds(source):
    return {one.name: (one.low, one.high) for one in constants_of(submission(source))}


def test_numbers_in_upper_case_are_searched_by_a_factor_of_thirty():
    found = bounds(SOURCE)
    assert set(found) == {"EPOCHS", "RATE", "MOMENTUM", "LARGE"}
    assert found["EPOCHS"] == (1, 90)
    assert found["RATE"] == pytest.approx((0.01 / 30, 0.3))
    assert found["LARGE"] == pytest.approx((1000 / 30, 30000))


def test_what_may_be_a_share_stays_one():
    assert bounds(SOURCE)["MOMENTUM"] == pytest.approx((0.03, 1))


def test_a_whole_number_stays_whole():
    found = {one.name: one for one in constants_of(submission(SOURCE))}
    assert found["EPOCHS"].whole
    assert not found["RATE"].whole
    assert found["RATE"].rounded(0.0123456) == 0.0123


def test_ranges_name_what_is_searched():
    source = SOURCE + 'RANGES = {"RATE": (0.001, 0.1), "OFF": (0, 5)}\n'
    assert bounds(source) == {"RATE": (0.001, 0.1), "OFF": (0, 5)}
    assert [one.log for one in constants_of(submission(source))] == [True, False], "no order of magnitude from 0 on"


@pytest.mark.parametrize(
    ("ranges", "message"),
    [
        ('{"SPEED": (1, 2)}', "RANGES names SPEED, which is not a number at the top of the file, or is changed later."),
        ('{"RATE": (0.001, 1e999)}', "expected two bounds around the value of RATE"),
        ('{"EPOCHS": (True, 5)}', "expected two bounds around the value of EPOCHS, 3, both integers"),
        ('{"RATE": (0.1, 0.2)}', "expected two bounds around the value of RATE, 0.01; found (0.1, 0.2)"),
        ('{"RATE": (0.1, 0.001)}', "expected two bounds around the value of RATE"),
        ('{"RATE": 0.1}', "expected two bounds around the value of RATE"),
        ('{"EPOCHS": (1, 4.5)}', "expected two bounds around the value of EPOCHS, 3, both integers"),
        (
            "dict(RATE=(0.1, 1))",
            "line 12: expected RANGES once, at the top of the file, as a dictionary of literal bounds by name",
        ),
        ("{}", "as a dictionary of literal bounds by name"),
    ],
)
def test_wrong_ranges_are_refused(ranges, message):
    with pytest.raises(SubmissionError) as refused:
        bounds(f"{SOURCE}RANGES = {ranges}\n")
    assert message in str(refused.value)


@pytest.mark.parametrize("source", ["if True:\n    RANGES = {}\n", "X = RANGES = {}\n", "RANGES = {}\nRANGES = {}\n"])
def test_ranges_that_would_be_overlooked_are_refused(source):
    with pytest.raises(SubmissionError, match="expected RANGES once, at the top of the file"):
        bounds(SOURCE + source)


def test_annotated_ranges_are_read():
    assert bounds(SOURCE + 'RANGES: dict = {"RATE": (0.001, 0.1)}\n') == {"RATE": (0.001, 0.1)}


@pytest.mark.parametrize("change", ["RATE *= 2\n", "if True:\n    RATE = 0.7\n", "RATE, X = 1, 2\n", "del RATE\n"])
def test_what_the_file_changes_later_is_not_searched(change):
    assert "RATE" not in bounds(SOURCE + change)
    with pytest.raises(SubmissionError, match=r"RANGES names RATE, which is not a number .* or is changed later"):
        bounds(SOURCE + change + 'RANGES = {"RATE": (0.001, 0.1)}\n')


def test_the_files_own_value_is_tried_as_it_is_and_bounds_are_not_reached_by_rounding():
    (decay,) = constants_of(submission("DECAY = 0.9995\n"))
    assert decay.rounded(0.9995) == 0.9995
    assert decay.rounded(0.99949) == 0.999
    assert decay.rounded(0.99999) == 0.99999
    assert decay.rounded(1.0) == 1.0, "the bound itself"


def test_numbers_without_an_end_are_not_searched():
    assert set(bounds("BIG = 1e999\nLARGE = 1e308\nRATE = 0.1\n")) == {"RATE"}


@pytest.mark.parametrize("source", ["RATE = \\\n    0.1\n", "RATE \\\n  = 0.1\n"])
def test_a_statement_on_several_lines_stays_one(source):
    namespace = {}
    exec(with_constants(submission(source), {"RATE": 0.3}, "A remark.").source, namespace)
    assert namespace["RATE"] == 0.3


def test_a_file_without_constants_says_what_was_expected():
    with pytest.raises(SubmissionError, match=r"mine\.py has no constants to tune.*LEARNING_RATE = 0\.01"):
        bounds("lower = 1.0\n")


def test_only_the_values_change():
    changed = with_constants(submission(SOURCE), {"RATE": 0.25, "MOMENTUM": 0.5, "EPOCHS": 7}, "A remark.")
    expected = (
        SOURCE.replace("EPOCHS = 3", "# A remark.\nEPOCHS = 7")
        .replace("RATE: float = 0.01", "RATE: float = 0.25")
        .replace("MOMENTUM = 0.9  # ≤ 1", "MOMENTUM = 0.5  # ≤ 1")
    )
    assert changed.source == expected + HOOK


def test_values_that_take_several_lines_or_a_sign_are_replaced_whole():
    source = 'OFFSET = (\n    -2.5\n)\nRANGES = {"OFFSET": (-5.0, 5.0)}\n'
    changed = with_constants(submission(source), {"OFFSET": -1.0})
    namespace = {}
    exec(changed.source, namespace)
    assert namespace["OFFSET"] == -1.0


def test_a_tuned_file_goes_to_kaggle_like_any_other(tmp_path):
    """The same checks, and the constants that were found."""
    path = tmp_path / "mine_tuned.py"
    path.write_text(with_constants(submission(SOURCE), {"RATE": 0.25}).source)
    made = bundle(path, "some-competition", True, tmp_path / "bundles")
    assert "RATE: float = 0.25" in made.notebook.read_text()
