"""Measured rows go through their files unharmed, and a table of them says what the spreads say."""

import json
from dataclasses import replace

import numpy as np
import pytest

from scoring.judging.interval import Spread
from scoring.reports.seeds import summary_of
from tests.benchmarks import kept
from tests.benchmarks.ranking import filled

EXAMPLES = 30
HOST = {"python": "3", "torch": "2", "numpy": "2", "cpu": "a processor", "cpu_capability": "AVX2", "device": "cpu"}
SCORES = {"good": (0.20, 0.18), "close": (0.19, 0.18), "bad": (0.01, 0.02)}


@pytest.fixture
def spreads(monkeypatch, tmp_path):
    """Rows of two seeds in files, one of which failed on a seed; gives the spreads of the others before rounding."""
    monkeypatch.setattr(kept, "ROWS", tmp_path)
    rng = np.random.default_rng(0)
    found = {name: [] for name in SCORES}
    for seed in (0, 1):
        folder = kept.folder("digits", seed, 64)
        for name, scores in SCORES.items():
            spread = Spread(scores[seed], rng.normal(0, 0.05, (12, EXAMPLES)))
            found[name].append((scores[seed], spread))
            figures = {"score": scores[seed], "retain": 0.9 + seed / 100}
            row = kept.Row("sha", "ref", HOST, figures, kept.rounded(spread.deviations.tolist()))
            kept.write(folder / f"{name}.json", row)
        for name, score in (("ceiling", 0.2), ("floor", 0.0)):
            kept.write(folder / f"{name}.json", kept.Row("", "ref", HOST, {"score": score}, band=(0.1, 0.3)))
        failed = {"failed": "diverged"} if seed else {"figures": {"score": 0.5}, "deviations": [[0.1] * EXAMPLES] * 12}
        kept.write(folder / "sometimes.json", kept.Row("sha", "ref", HOST, **failed))
    return found


def test_a_comparison_of_kept_rows_is_that_of_the_measured_ones(spreads):
    compared = kept.compared("digits", (0, 1), 64)
    assert set(compared.rows) == {*SCORES, "ceiling", "floor"}
    assert compared.left_out == ["sometimes"]
    assert compared.bands == [(0.1, 0.3)] * 2
    assert compared.rows["good"].figures["retain"] == pytest.approx(0.905)
    for expected in summary_of(spreads):
        found = compared.rows[expected.name].summary
        assert found.scores == expected.scores
        assert found.group == expected.group
        assert found.interval == pytest.approx(expected.interval, rel=1e-2)
    assert [compared.rows[name].summary.group for name in SCORES] == [1, 1, 2]


def test_the_table_names_every_kind_of_machine_once(spreads):
    path = kept.folder("digits", 1, 64) / "bad.json"
    kept.write(path, replace(kept.read(path), host=HOST | {"cpu_capability": "AVX512"}))
    page = "<!-- ranking task=digits models=64 seeds=0,1 -->\n<!-- end -->\n"
    footer = filled(page, kept.compared).splitlines()[-3]
    assert footer.count("(AVX2)") == footer.count("(AVX512)") == 1


def test_a_single_seed_has_no_deviation_between_seeds(spreads):
    summary = kept.compared("digits", (0,), 64).rows["good"].summary
    assert summary.deviation is None
    assert summary.interval[0] < 0.2 < summary.interval[1]


def test_rows_are_short_and_without_machine_precision(spreads):
    text = (kept.folder("digits", 0, 64) / "good.json").read_text()
    assert json.loads(text)["deviations"] == kept.rounded(spreads["good"][0][1].deviations.tolist())
    assert len(text) < 12 * EXAMPLES * 9 + 500


def test_other_words_about_a_method_are_the_same_code():
    code = "RATE = 1\n\n\ndef unlearning(net, retain, forget, val):\n    return net\n"
    assert kept.code_of(f'"""Do nothing."""\n\n{code}') == kept.code_of(f'"""Leave it.\n\nAs it is.\n"""\n\n{code}')
    assert kept.code_of(code) != kept.code_of(code.replace("1", "2"))
    assert kept.code_of(f'"""Do nothing."""\n\n{code}') != kept.code_of(
        f'"""Do nothing."""\n\n{code.replace("1", "2")}'
    )


def test_rows_of_submissions_that_are_gone_are_removed(spreads):
    kept.remove_others("digits", 0, 64, {"good", "bad"})
    assert set(kept.rows_in("digits", 0, 64)) == {"good", "bad", "ceiling", "floor"}


def test_what_was_measured_on_the_first_seed_only_has_a_row_without_a_group(spreads):
    first = kept.read(kept.folder("digits", 0, 64) / "good.json")
    kept.write(kept.folder("digits", 0, 64) / "slow.json", replace(first, figures={"score": 0.2, "retain": 0.5}))
    row = kept.compared("digits", (0, 1), 64).rows["slow"]
    assert (list(row.scores), row.score, row.complete) == ([0.2, None], 0.2, False)
    assert row.summary.group is None
    assert row.summary.interval == pytest.approx(kept.compared("digits", (0,), 64).rows["good"].summary.interval)
    assert row.figures["retain"] == 0.5
