"""Other judges together: what they say of good and of bad unlearning."""

import pytest

from scoring.judging.judges import verdicts
from tests.judging.pools import gaussians

RETRAINED = gaussians(64, 40, seed=0)


def test_all_of_them_judge():
    found = verdicts(gaussians(64, 40, seed=1), RETRAINED)
    assert set(found) == {"attack", "population", "u_lira", "u_lira_tpr", "klom", "klom_test"}
    assert all(value is not None for value in found.values())


def test_none_of_them_can_tell_retrained_models_apart():
    found = verdicts(gaussians(64, 40, seed=1), RETRAINED)
    assert found["u_lira"] == pytest.approx(0.5, abs=0.03)
    assert found["u_lira_tpr"] == pytest.approx(0.01, abs=0.02)
    assert found["klom"] < 2
    assert found["klom_test"] < 2


def test_those_that_know_retrained_models_tell_moved_ones_apart():
    """Test examples are answered alike."""
    near, far = (verdicts(gaussians(64, 40, seed=1, shift=shift), RETRAINED) for shift in (0, 3))
    assert far["u_lira"] > 0.9 > near["u_lira"]
    assert far["u_lira_tpr"] > 0.5 > near["u_lira_tpr"]
    assert far["klom"] > near["klom"] + 3
    assert far["klom_test"] == near["klom_test"]
    assert far["population"] > near["population"] + 0.1


def test_attacks_on_single_models_take_a_few_examples():
    few = gaussians(8, 2, seed=0)
    found = verdicts(few, few)
    assert found["attack"] is found["population"] is None
    assert found["klom"] == 0
