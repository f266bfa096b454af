"""Error bars: intervals around scores and differences, groups, and what fewer models would have said."""

from dataclasses import replace

import numpy as np
import pytest

from scoring.judging.by_models import score_by_models
from scoring.judging.groups import groups
from scoring.judging.interval import (
    FEWEST_MODELS,
    Interval,
    difference,
    difference_interval,
    mean_of,
    quick_score,
    score_interval,
    spread_from,
    spread_of,
)
from scoring.judging.outputs import Identity
from scoring.judging.score import NothingLearned, score
from tests.judging.pools import gaussians

MODELS, EXAMPLES = 64, 40


@pytest.fixture(scope="module")
def pools():
    """Retrained models, exact ones, and two worse methods."""
    return {
        name: gaussians(MODELS, EXAMPLES, seed=number, shift=shift)
        for number, (name, shift) in enumerate({"retrained": 0, "exact": 0, "near": 0.5, "far": 2}.items())
    }


def covered(interval, value):
    return interval.low <= value <= interval.high


def test_an_interval_covers_what_other_pools_score_on_average():
    """Of twenty intervals, one or two may miss. `make calibration` measures it with thousands."""
    draws = [[gaussians(MODELS, EXAMPLES, seed=100 * draw + k, shift=0.5 * k) for k in (0, 1)] for draw in range(20)]
    truth = np.mean([quick_score(ours, theirs, theirs) for theirs, ours in draws])
    intervals = [score_interval(ours, theirs) for theirs, ours in draws]
    assert sum(covered(one, truth) for one in intervals) >= 17
    scores = [quick_score(ours, theirs, theirs) for theirs, ours in draws]
    width = np.mean([one.high - one.low for one in intervals])
    assert 0.6 < width / (2 * 1.96 * np.std(scores, ddof=1)) < 2


def test_the_noise_of_accuracies_is_part_of_an_interval(pools):
    rng = np.random.default_rng(0)
    noisy = replace(pools["near"], test_accuracy=rng.choice([0.1, 1.0], MODELS))
    quiet = score_interval(pools["near"], pools["retrained"])
    found = score_interval(noisy, pools["retrained"])
    assert (found.high - found.low) / found.high > 1.1 * (quiet.high - quiet.low) / quiet.high


def test_more_confidence_takes_more_room(pools):
    wide, narrow = (score_interval(pools["near"], pools["retrained"], confidence=c) for c in (0.99, 0.9))
    assert wide.low < narrow.low < narrow.high < wide.high


def test_a_difference_of_pools_that_share_their_luck_is_known_better(pools):
    """Both are compared with the same retrained models, and the second is the first with a little noise."""
    rng = np.random.default_rng(0)
    near = pools["near"]
    similar = replace(near, forget_confidence=near.forget_confidence + rng.normal(0, 1e-3, (MODELS, EXAMPLES)))
    paired = difference_interval(near, similar, pools["retrained"])
    alone = score_interval(near, pools["retrained"])
    assert covered(paired, 0)
    assert paired.high - paired.low < 0.5 * (alone.high - alone.low)


def test_a_pool_does_not_differ_from_itself(pools):
    assert difference_interval(pools["near"], pools["near"], pools["retrained"]) == Interval(0, 0)


def test_a_clear_difference_excludes_zero(pools):
    interval = difference_interval(pools["exact"], pools["far"], pools["retrained"])
    assert interval.low > 0
    back = difference_interval(pools["far"], pools["exact"], pools["retrained"])
    assert (back.low, back.high) == pytest.approx((-interval.high, -interval.low))


def test_the_same_seed_gives_the_same_interval(pools):
    one, other, another = (score_interval(pools["near"], pools["retrained"], seed=seed) for seed in (0, 0, 1))
    assert one == other != another


def test_too_few_models_have_no_interval():
    few = gaussians(FEWEST_MODELS - 1, EXAMPLES, seed=0)
    with pytest.raises(ValueError, match="expected at least 32 models per pool for an interval, found 31"):
        score_interval(few, few)


def test_a_collapsed_pool_scores_zero_for_certain(pools):
    collapsed = replace(pools["near"], forget_confidence=np.ones((MODELS, EXAMPLES)))
    assert score_interval(collapsed, pools["retrained"]) == Interval(0, 0)


def test_a_score_of_zero_by_bad_luck_has_room_above(pools):
    """The halves score more, so zero was not for certain."""
    halves = np.zeros((12, 2, EXAMPLES))
    halves[0, 0, 0] = halves[3, 1, 2] = 0.25
    interval = spread_from(0.0, halves).interval()
    assert interval.low == 0 < interval.high < 0.05


def test_pools_that_do_not_fit_are_refused(pools):
    more = gaussians(2 * MODELS, EXAMPLES, seed=0)
    for unlearned, retrained in ((pools["near"], more), (more, pools["near"])):
        with pytest.raises(ValueError, match="expected pools of"):
            spread_of(unlearned, retrained, value=0.1)
    other = replace(pools["near"], identity=Identity("another", 0, "none"))
    with pytest.raises(ValueError, match="with one task, seed and reference"):
        spread_of(other, pools["retrained"], value=0.1)


def test_retrained_models_that_hardly_learn_have_a_score_and_no_interval(pools):
    """One of 64 gets something right, so one half of each split has nothing to divide by."""
    accuracy = np.zeros(MODELS)
    accuracy[0] = 0.5
    retrained = replace(pools["retrained"], test_accuracy=accuracy)
    assert score(pools["near"], retrained).value > 0
    with pytest.raises(NothingLearned, match="test accuracy: the retrained models' accuracy is zero"):
        spread_of(pools["near"], retrained)


def test_ties_and_a_single_example(pools):
    rounded, against = (
        replace(pools[name], forget_confidence=pools[name].forget_confidence.round()[:, :1])
        for name in ("near", "retrained")
    )
    interval = score_interval(rounded, against)
    assert covered(interval, score(rounded, against).value)


@pytest.mark.parametrize("confidence", [0, 1, 95])
def test_a_confidence_is_a_share(pools, confidence):
    with pytest.raises(ValueError, match="confidence: expected a number between 0 and 1"):
        score_interval(pools["near"], pools["retrained"], confidence=confidence)


def test_the_mean_over_seeds_is_known_better_than_each():
    spreads = [
        spread_of(gaussians(MODELS, EXAMPLES, seed=2 * seed, shift=0.5), gaussians(MODELS, EXAMPLES, seed=2 * seed + 1))
        for seed in range(4)
    ]
    mean = mean_of(spreads)
    assert mean.value == pytest.approx(np.mean([one.value for one in spreads]))
    assert mean.deviation == pytest.approx(np.mean([one.deviation for one in spreads]) / 2, rel=0.5)


def test_groups_begin_where_scores_can_be_told_apart(pools):
    names = ("near", "exact", "far")
    spreads = {name: spread_of(pools[name], pools["retrained"]) for name in names}
    spreads["exact again"] = spread_of(gaussians(MODELS, EXAMPLES, seed=9), pools["retrained"])
    found = groups(spreads)
    assert list(found)[-1] == "far"
    assert found["exact"] == found["exact again"] == 1 < found["far"]
    assert difference(spreads["exact"], spreads["far"], confidence=1 - 0.05 / 6).low > 0


def test_groups_take_more_evidence_among_more_submissions():
    """With many pairs, some differ by chance."""
    retrained = gaussians(MODELS, EXAMPLES, seed=0)
    equal = {str(seed): spread_of(gaussians(MODELS, EXAMPLES, seed=seed), retrained) for seed in range(1, 13)}
    assert set(groups(equal).values()) == {1}


def test_quick_looks_are_scores_of_fewer_models(pools):
    looks = score_by_models(pools["far"], pools["retrained"])
    assert [look.models for look in looks] == [16, 32]
    assert all(look.low <= look.score <= look.high for look in looks)
    assert looks[0].score > looks[1].score > score(pools["far"], pools["retrained"]).value, "few models are too kind"


def test_the_band_of_quick_looks_holds_for_other_models(pools):
    """Subsets of one pool share models, and would differ less than a new pool does."""
    (_, look) = score_by_models(pools["near"], pools["retrained"])
    others = [
        quick_score(*(gaussians(look.models, EXAMPLES, seed=100 + 2 * k + one, shift=0.5 * one) for one in (1, 0, 0)))
        for k in range(60)
    ]
    assert np.mean([look.low <= one <= look.high for one in others]) > 0.75


def test_no_quick_looks_at_small_pools():
    few = gaussians(16, EXAMPLES, seed=0)
    assert score_by_models(few, few) == ()
