"""The time of a submission over that of retraining."""

import numpy as np
import pytest

from scoring.judging.time import exceeds, ratio_of
from tests.judging.test_score import outputs


def timed(runs, retraining):
    confidences = np.zeros((len(runs), 3))
    return outputs(confidences, seconds=np.array(runs), retraining_seconds=np.array(retraining))


def test_the_mean_of_the_runs_counts():
    """One slow run in ten is not lost in a median."""
    runs = [1.0] * 9 + [11.0]
    assert ratio_of(timed(runs, [10.0] * 10)).value == pytest.approx(0.2)


def test_runs_beside_which_nothing_was_timed_count_too():
    retraining = [10.0, np.nan, 10.0, np.nan]
    assert ratio_of(timed([1.0, 3.0, 1.0, 3.0], retraining)).value == pytest.approx(0.2)


def test_its_error_covers_the_truth():
    """Runs and retraining with a spread of a tenth each: the range of two errors holds the true ratio in 95%."""
    generator = np.random.default_rng(0)
    held = 0
    for _ in range(400):
        runs = 0.15 * (1 + 0.1 * generator.standard_normal(64))
        retraining = np.where(np.arange(64) < 16, 1 + 0.1 * generator.standard_normal(64), np.nan)
        low, high = ratio_of(timed(runs, retraining)).range
        held += low <= 0.15 <= high
    assert 0.92 < held / 400 < 0.98


@pytest.mark.parametrize(
    ("seconds", "spread", "verdict"),
    [(0.1, 0.05, "within"), (0.3, 0.05, "over"), (0.19, 0.5, "unsure"), (0.21, 0.5, "unsure"), (0.2, 0.0, "within")],
)
def test_the_verdict_needs_more_than_luck(seconds, spread, verdict):
    noise = 1 + spread * np.tile([-1.0, 1.0], 8)
    assert ratio_of(timed(seconds * noise, noise)).verdict == verdict


@pytest.mark.parametrize(
    ("runs", "retraining"),
    [([np.nan] * 4, [1.0] * 4), ([1.0] * 4, [np.nan] * 4), ([1.0] * 4, [1.0, np.nan, np.nan, np.nan])],
    ids=["checkpoints", "no stopwatch", "one measurement"],
)
def test_there_is_no_ratio_without_measurements(runs, retraining):
    assert ratio_of(timed(runs, retraining)) is None


def test_a_single_slow_run_casts_no_doubt_on_the_others():
    runs = np.full(64, 4.0)
    runs[5] = 200.0
    slow = timed(runs, [10.0, 10.1] * 32)
    assert ratio_of(slow).verdict == "unsure"
    assert exceeds(slow)


def test_doubt_about_retraining_counts_for_the_submission():
    noisy = [9.0, 11.0] * 5
    assert not exceeds(timed([2.05] * 10, noisy))
    assert exceeds(timed([2.2] * 10, noisy))


def test_what_was_not_timed_does_not_exceed():
    assert not exceeds(timed([np.nan] * 10, [10.0] * 10))
