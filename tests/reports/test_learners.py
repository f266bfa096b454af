"""The table of exact, merged and private submissions."""

import pytest

from scoring.reports.comparison_record import ComparisonRecord
from scoring.reports.learners import with_table
from scoring.reports.record import CertificateRecord, GuaranteeRecord, LearningRecord, Report
from starter_kit.errors import InputError
from tests.reports.test_table import report

HOST = {"python": "3.11", "torch": "2", "numpy": "2", "cpu": "a CPU", "cpu_capability": "AVX512", "device": "cpu"}
PAGE = "before\n<!-- learners -->\nold\n<!-- end -->\nafter\n"

PROMISE = GuaranteeRecord(
    epsilon=1.5,
    delta=1e-5,
    noise_multiplier=2.0,
    sample_rate=0.1,
    steps=10,
    reference=None,
    proved=2.0,
    contradicted=True,
)
CERTIFICATE = CertificateRecord(exact=True, seeds=8, requests=["a", "b", "c", "d"], tensors=9, difference=None)


def written(tmp_path, **changes) -> str:
    plain = report()
    one: Report = plain.model_copy(update={"run": plain.run.model_copy(update={"host": HOST}), **changes})
    record = ComparisonRecord(
        title="digits",
        command="make compare",
        task="digits",
        seed=0,
        models=64,
        ranking=[one],
        groups=None,
        band=(0.1, 0.2),
        reference={},
        failed=[],
        unsuited=[],
    )
    path = tmp_path / "learners/all/comparison.json"
    path.parent.mkdir(parents=True)
    path.write_text(record.model_dump_json())
    return with_table(PAGE, tmp_path)


def test_a_row_has_what_was_proved_promised_and_certified(tmp_path):
    learning = LearningRecord(seconds=1.25, state_bytes=4_200_000)
    page = written(tmp_path, guarantee=PROMISE, certificate=CERTIFICATE, learning=learning)
    (row,) = [line for line in page.splitlines() if line.startswith("| mine |")]
    for cell in ("95", "64", "0.0500", "0.2000", "0.30", "1.50 (delta 1e-05) **contradicted**", "8 × 4", "1.25", "4.2"):
        assert f"| {cell} |" in row
    assert page.startswith("before\n")
    assert page.endswith("<!-- end -->\nafter\n")
    assert "old" not in page


def test_a_row_without_them_has_empty_cells(tmp_path):
    row = next(line for line in written(tmp_path).splitlines() if line.startswith("| mine |"))
    assert row.count("|  |") >= 2


def test_a_method_that_is_not_exact_says_so(tmp_path):
    denied = CERTIFICATE.model_copy(update={"exact": False, "difference": "a differs"})
    assert "| not exact |" in written(tmp_path, certificate=denied)


def test_without_comparisons_a_sentence_names_the_command(tmp_path):
    with pytest.raises(InputError, match="Run make learners"):
        with_table(PAGE, tmp_path)


def test_a_page_without_the_mark_stays_as_it_is(tmp_path):
    assert with_table("nothing", tmp_path) == "nothing"
