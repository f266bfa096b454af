"""What is counted of repeats survives a restart, and is counted again when the truth moves."""

import numpy as np

from tests.benchmarks import tally

SHAPE = (2, 3)


def test_truth_and_deviation_are_those_of_all_repeats(tmp_path):
    values = np.random.default_rng(0).normal(5, 2, (3, tally.CHUNK, *SHAPE))
    known = tally.read(tmp_path / "none.json", ["a", "b"], SHAPE)
    for chunk, some in enumerate(values):
        known["a"].add_scores(chunk, some.sum(axis=0), (some**2).sum(axis=0))
    tally.write(tmp_path / "kept.json", known)
    again = tally.read(tmp_path / "kept.json", ["a", "b"], SHAPE)
    together = values.reshape(-1, *SHAPE)
    np.testing.assert_allclose(again["a"].truth, together.mean(axis=0))
    np.testing.assert_allclose(again["a"].deviation, together.std(axis=0, ddof=1))
    assert again["a"].scored == [0, 1, 2]
    assert again["b"].scored == []


def test_more_scores_void_the_intervals_that_were_judged_without_them(tmp_path):
    ones = np.ones(SHAPE)
    known = tally.read(tmp_path / "none.json", ["a"], SHAPE)["a"]
    known.add_scores(0, ones, ones)
    known.add_intervals(0, ones, 2 * ones)
    assert known.judged == [0]
    assert known.widths.sum() == 2 * ones.sum()
    known.add_scores(1, ones, ones)
    assert known.judged == []
    assert known.covered.sum() == known.widths.sum() == 0
