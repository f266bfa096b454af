import builtins

import pytest
from scipy.optimize import brentq
from scipy.stats import norm

from scoring.learners.guarantee import Guarantee
from starter_kit.errors import InputError

DIGITS = Guarantee(noise_multiplier=2.687, sample_rate=0.0445, steps=224, delta=1e-5)


@pytest.mark.parametrize(("request_size", "epsilon"), [(1, 1.0), (2, 2.16), (5, 6.2), (20, 36.6), (95, 425)])
def test_the_golden_values_for_digits(request_size, epsilon):
    assert DIGITS.epsilon(request_size) == pytest.approx(epsilon, rel=0.004)


def test_a_single_step_on_all_examples_is_the_gaussian_mechanism():
    """Whose epsilon is known in closed form: Balle and Wang (2018), theorem 8."""
    for request in (1, 3):
        shift = request / 2.0

        def excess(epsilon, shift=shift):
            return norm.cdf(shift / 2 - epsilon / shift) - 2.718281828459045**epsilon * norm.cdf(
                -shift / 2 - epsilon / shift
            )

        expected = brentq(lambda epsilon: excess(epsilon) - 1e-5, 0, 50)
        found = Guarantee(noise_multiplier=2.0, sample_rate=1.0, steps=1, delta=1e-5).epsilon(request)
        assert expected <= found <= 1.001 * expected + 0.005


def test_more_noise_and_fewer_steps_promise_more():
    less_noise = Guarantee(1.0, 0.0445, 224, 1e-5)
    fewer_steps = Guarantee(2.687, 0.0445, 100, 1e-5)
    assert fewer_steps.epsilon(1) < DIGITS.epsilon(1) < less_noise.epsilon(1)


NUMBERS = {"noise_multiplier": 1.0, "sample_rate": 0.1, "steps": 10, "delta": 1e-5}


def test_a_model_carries_it_as_a_mapping():
    assert Guarantee.of(NUMBERS) == Guarantee(1.0, 0.1, 10, 1e-5)


@pytest.mark.parametrize(
    "found",
    [
        None,
        1.0,
        {},
        {**NUMBERS, "epsilon": 1.0},
        {name: value for name, value in NUMBERS.items() if name != "delta"},
        *(
            {**NUMBERS, name: value}
            for name in NUMBERS
            for value in (0, -1, float("nan"), float("inf"), "1", None, True)
        ),
        {**NUMBERS, "sample_rate": 1.5},
        {**NUMBERS, "steps": 1.5},
        {**NUMBERS, "steps": 10**9},
        {**NUMBERS, "noise_multiplier": 10**400},
        {**NUMBERS, "noise_multiplier": 1e-300},
        {**NUMBERS, "delta": 1e-300},
        {**NUMBERS, "delta": 0.999},
        {**NUMBERS, "reference": 3},
        {**NUMBERS, "delta": 1},
    ],
    ids=str,
)
def test_numbers_that_promise_nothing_are_refused(found):
    with pytest.raises(ValueError, match="guarantee"):
        Guarantee.of(found)


def test_without_the_package_a_sentence_names_the_command(monkeypatch):
    real = builtins.__import__

    def missing(name, *rest):
        if name.startswith("dp_accounting"):
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(InputError, match=r"pip install '\.\[private\]'"):
        Guarantee(3.0, 0.0445, 224, 1e-5).epsilon(1)


def test_too_little_noise_promises_nothing_and_says_so_at_once():
    with pytest.raises(InputError, match="promises nothing for a request of 95 examples, because its noise"):
        Guarantee(0.05, 0.25, 60, 1e-5).epsilon(95)


@pytest.mark.slow
def test_a_coarse_grid_is_still_an_upper_bound():
    """One step on all examples is the Gaussian mechanism, whose epsilon is known, also where the grid is coarse."""
    found = Guarantee(noise_multiplier=1.0, sample_rate=1.0, steps=1, delta=1e-5).epsilon(20)
    expected = 20**2 / 2 + 20 * norm.isf(1e-5)
    assert 0.98 * expected <= found <= 1.02 * expected


def test_a_guarantee_from_a_reference_covers_the_whole_request():
    whole = Guarantee(2.0, 1.0, 1, 1e-5, reference="another start")
    assert whole.epsilon(95) == Guarantee(2.0, 1.0, 1, 1e-5).epsilon(1)
