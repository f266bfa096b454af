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
    assert found["RATE"].rounded(0.30049) == 0.3, "within the bounds"


def test_ranges_name_what_is_searched():
    source = SOURCE + 'RANGES = {"RATE": (0.001, 0.1), "OFF": (0, 5)}\n'
    assert bounds(source) == {"RATE": (0.001, 0.1), "OFF": (0, 5)}
    assert [one.log for one in constants_of(submission(source))] == [True, False], "no order of magnitude from 0 on"


@pytest.mark.parametrize(
    ("ranges", "message"),
    [
        ('{"SPEED": (1, 2)}', "RANGES names SPEED, which is not a number at the top of the file. It has EPOCHS, RATE"),
        ('{"RATE": (0.1, 0.2)}', "expected two bounds around the value of RATE, 0.01; found (0.1, 0.2)"),
        ('{"RATE": (0.1, 0.001)}', "expected two bounds around the value of RATE"),
        ('{"RATE": 0.1}', "expected two bounds around the value of RATE"),
        ('{"EPOCHS": (1, 4.5)}', "expected two bounds around the value of EPOCHS, 3, both whole numbers"),
        ("dict(RATE=(0.1, 1))", "line 12: expected RANGES as a dictionary of literal bounds by name"),
        ("{}", "expected RANGES as a dictionary of literal bounds by name"),
    ],
)
def test_wrong_ranges_are_refused(ranges, message):
    with pytest.raises(SubmissionError) as refused:
        bounds(f"{SOURCE}RANGES = {ranges}\n")
    assert message in str(refused.value)


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
