"""Simulated pools are what their settings say, and intervals that cover the truth are counted."""

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest

from scoring.judging.interval import Interval, difference_interval, score_interval
from scoring.judging.score import score
from tests.benchmarks import calibration
from tests.benchmarks.blocks import BLOCK, blocks_covered, widened
from tests.benchmarks.simulated import EXAMPLES, Setting, pools

FEW = EXAMPLES[0]


def first(outputs):
    """The outputs for few examples: scores by the official rules take long for many."""
    return replace(outputs, forget_confidence=outputs.forget_confidence[:, :FEW])


def scores_of(retrained, unlearned):
    """The score of each method."""
    return [score(first(outputs), first(retrained)).value for outputs in unlearned.values()]


def mean_correlation(confidence):
    """The mean absolute correlation between two examples of the same model."""
    between = np.abs(np.corrcoef(confidence, rowvar=False))
    return between[~np.eye(len(between), dtype=bool)].mean()


@pytest.mark.parametrize("shared", [0.0, 0.5])
def test_examples_share_as_much_variance_as_the_setting_says(shared):
    retrained, _ = pools(Setting(2000, shared), 0)
    # By chance alone, two columns of 2,000 values have a correlation of some 0.02.
    assert mean_correlation(retrained.forget_confidence) == pytest.approx(shared, abs=0.03)


def test_as_many_unlearned_models_diverge_as_the_setting_says():
    retrained, unlearned = pools(Setting(2000, 0.0, 0.05), 0)
    assert (retrained.retain_accuracy > 0.5).all()
    for outputs in unlearned.values():
        assert (outputs.retain_accuracy < 0.5).mean() == pytest.approx(0.05, abs=0.02)


def test_methods_differ_in_quality_and_repeats_in_luck():
    found = [scores_of(*pools(Setting(64, 0.0), repeat)) for repeat in (0, 1)]
    assert all(null > easy > hard for null, easy, hard in found)
    assert found[0] != found[1]


def test_intervals_that_cover_the_truth_are_counted(monkeypatch):
    """Against the intervals that a user gets, of one repeat."""
    monkeypatch.setattr(calibration, "CHUNK", 1)
    setting = Setting(32, 0.0)
    retrained, unlearned = pools(setting, 2)
    some = [first(outputs) for outputs in unlearned.values()]
    of_scores = [score_interval(one, first(retrained)) for one in some]
    of_differences = [difference_interval(*pair, first(retrained)) for pair in combinations(some, 2)]
    expected = [*of_scores, *of_differences]
    # What is just inside is covered, what is just outside is not.
    inside = np.array([one.low + (one.high - one.low) * 0.9 for one in expected])
    outside = np.array([one.high + (one.high - one.low) * 0.1 for one in expected])
    truth = np.where([True, False] * 3, inside, outside)
    covered, widths = calibration.intervals(setting, 2, np.stack([truth] * len(EXAMPLES)))
    assert covered[0].tolist() == [1, 0] * 3
    np.testing.assert_allclose(widths[0], [one.high - one.low for one in expected], rtol=0.02)


def test_the_truth_is_the_mean_over_repeats(monkeypatch):
    monkeypatch.setattr(calibration, "CHUNK", 2)
    setting = Setting(32, 0.0)
    expected = np.array([scores_of(*pools(setting, repeat)) for repeat in (2, 3)])
    sums, squares = calibration.scores(setting, 1)
    np.testing.assert_allclose(sums[0, :3], expected.sum(axis=0), rtol=0.02)
    np.testing.assert_allclose(squares[0, :3], (expected**2).sum(axis=0), rtol=0.02)
    np.testing.assert_allclose(sums[0, 3], sums[0, 0] - sums[0, 1], rtol=1e-5)


def test_a_block_unlike_the_others_is_not_covered():
    retrained, unlearned = pools(Setting(6 * BLOCK, 0.0), 0)
    same = unlearned["null"]
    covered, blocks = blocks_covered(same, retrained)
    assert (blocks, covered >= 5) == (6, True)
    moved = same.forget_confidence.copy()
    moved[:BLOCK] += 100
    covered_without, blocks = blocks_covered(replace(same, forget_confidence=moved), retrained)
    assert (blocks, covered_without < covered) == (6, True)


def test_pools_that_are_too_small_for_two_blocks_count_nothing():
    retrained, unlearned = pools(Setting(2 * BLOCK - 1, 0.0), 0)
    assert blocks_covered(unlearned["null"], retrained) == (0, 0)


def test_a_wider_interval_ends_at_zero():
    assert widened(0.04, Interval(0.0, 0.16), 2).low == 0
    assert widened(0.04, Interval(0.01, 0.16), 1.5).low == pytest.approx((0.2 - 0.15) ** 2)
    assert widened(0.04, Interval(0.01, 0.16), 1.5).high == pytest.approx((0.2 + 0.3) ** 2)


def test_cells_that_miss_the_goal_are_counted_on_both_sides():
    """A page says in how many cells intervals cover too little or too much; few models and divergence do not count."""
    known = calibration.kept_tallies()
    for setting in calibration.SETTINGS:
        found = known[setting.name]
        found.covered = np.full_like(found.covered, 0.95 * len(found.judged) * calibration.CHUNK)
    one, few = known[Setting(64, 0.5).name], known[Setting(32, 0.0).name]
    repeats = len(one.judged) * calibration.CHUNK
    one.covered[0, :4] = np.array([0.93, 0.929, 0.97, 0.975]) * repeats
    few.covered[0, 0] = 0
    cells = sum(setting.models >= 64 and not setting.diverged for setting in calibration.SETTINGS) * one.covered.size
    said = calibration.goal(known)
    assert f"{cells - 2} of {cells} cells" in said
    assert "1 cover less, the lowest 92.9%, and 1 more, the highest 97.5%." in said


def test_the_page_shows_what_is_kept():
    page = calibration.PAGE.read_text()
    assert calibration.filled(page, calibration.kept_tallies()) == page
