"""The rule behind each epsilon: what it says, and that it is the one that decides."""

import numpy as np
import pytest

from scoring.judging.epsilon import epsilon_of_rates
from scoring.judging.score import DELTA, epsilons
from scoring.judging.strongest_rule import strongest_rules

RNG = np.random.default_rng(0)
MODELS = 64


def errors_of(rule, unlearned, retrained):
    """How many models of each pool the rule gets wrong, counted as a person would."""
    inside = [(rule.low <= pool) & (pool <= rule.high) for pool in (unlearned, retrained)]
    said_unlearned = inside if rule.inside == "unlearned" else [~one for one in inside]
    return int((~said_unlearned[0]).sum()), int(said_unlearned[1].sum())


@pytest.mark.parametrize("shift", [0, 1, -2])
@pytest.mark.parametrize("wider", [0.3, 1, 3])
def test_its_errors_give_the_examples_epsilon(shift, wider):
    unlearned = RNG.normal(shift, wider, (MODELS, 8))
    retrained = RNG.normal(0, 1, (MODELS, 8))
    expected = epsilons(unlearned, retrained)
    for place, rule in enumerate(strongest_rules(unlearned, retrained)):
        missed, mistaken = errors_of(rule, unlearned[:, place], retrained[:, place])
        rates = (np.array(count / MODELS) for count in (missed, mistaken))
        assert min(float(epsilon_of_rates(*rates, DELTA)), 50) == pytest.approx(expected[place], abs=1e-4)
        assert rule.right == pytest.approx(1 - (missed + mistaken) / (2 * MODELS))


def test_separated_pools_are_always_told_apart():
    (rule,) = strongest_rules(np.linspace(5, 6, MODELS)[:, None], np.linspace(0, 1, MODELS)[:, None])
    assert rule.right == 1
    assert 1 < rule.low <= 5
    assert rule.inside == "unlearned"


def test_a_collapsed_pool_has_no_rule():
    assert strongest_rules(np.ones((MODELS, 1)), RNG.normal(size=(MODELS, 1))) == [None]
