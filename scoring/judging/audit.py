"""A lower bound on epsilon that holds with a stated confidence: what the models prove, not what they suggest.

The score's epsilon is the largest over some 160,000 rules, all evaluated on the same models, so it is high even if both
pools have the same distribution. Here one rule per example is chosen on one half of the models and tested on the other.
That half had no part in the choice, so the error rates on it are plain proportions, with exact bounds.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta


def audit_epsilon(
    unlearned: NDArray[np.float64],
    retrained: NDArray[np.float64],
    *,
    delta: float = 1e-5,
    confidence: float = 0.95,
    seed: int = 0,
    simultaneous: bool = False,
) -> NDArray[np.float64]:
    """A lower bound on each example's epsilon, from models alone.

    If what unlearned and retrained models answer is (epsilon, delta)-indistinguishable, then for every set S of answers
    ``P(S) <= exp(epsilon) * Q(S) + delta``, and the same with P and Q swapped. S is an interval or what lies outside of
    one. Its rates are bounded as by Clopper and Pearson (1934), jointly with the wanted confidence.

    Args:
        unlearned: [N, F] finite confidences, N >= 4.
        retrained: [M, F] finite confidences, M >= 4.
        delta: in [0, 1).
        confidence: in (0, 1); each bound is at most the true epsilon with at least this probability.
        seed: of the random halves that choose the rules.
        simultaneous: whether all F bounds hold at once with this confidence, which makes them lower.

    Returns:
        [F] bounds in nats, at least 0. With 512 models per pool none exceeds 4.24 at 95%.

    Raises:
        ValueError: the shapes do not fit, or a number is out of range.
    """
    if unlearned.ndim != 2 or retrained.ndim != 2 or unlearned.shape[1] != retrained.shape[1]:
        raise ValueError(f"expected [N, F] and [M, F], found {unlearned.shape} and {retrained.shape}")
    if min(len(unlearned), len(retrained)) < 4:
        raise ValueError(f"expected at least 4 models per pool, found {len(unlearned)} and {len(retrained)}")
    if not (0 <= delta < 1 and 0 < confidence < 1):
        raise ValueError(f"expected delta in [0, 1) and confidence in (0, 1), found {delta} and {confidence}")
    rng = np.random.default_rng(seed)
    (choosing, held), (choosing_other, held_other) = (_halves(pool, rng) for pool in (unlearned, retrained))
    error = (1 - confidence) / (unlearned.shape[1] if simultaneous else 1)
    chosen_by = _bounds(len(choosing), len(choosing_other), delta, error)
    judged_by = _bounds(len(held), len(held_other), delta, error)
    found = np.zeros(unlearned.shape[1])
    for example in range(unlearned.shape[1]):
        rule = _best_rule(choosing[:, example], choosing_other[:, example], chosen_by)
        found[example] = rule.bound(held[:, example], held_other[:, example], judged_by)
    return found


@dataclass(frozen=True)
class _Rule:
    """An interval, and which of the four ways to read it."""

    left: float
    right: float
    way: int

    def bound(self, first: NDArray, second: NDArray, bounds: NDArray) -> float:
        """The bound that it gives on models that had no part in its choice."""
        counts = [int(np.sum((self.left < pool) & (pool < self.right))) for pool in (first, second)]
        return float(bounds[self.way, counts[0], counts[1]])


def _best_rule(first: NDArray, second: NDArray, bounds: NDArray) -> _Rule:
    """The rule with the highest bound on these very models. A bound, unlike a ratio, does not favour rare events."""
    values = np.unique(np.concatenate([first, second]))
    cuts = np.concatenate([[-np.inf], (values[1:] + values[:-1]) / 2, [np.inf]])
    below = [np.searchsorted(np.sort(pool), cuts) for pool in (first, second)]
    inside = [counts[None, :] - counts[:, None] for counts in below]
    best = bounds.max(axis=0)
    # An interval that ends before it begins has negative counts.
    worth = np.where(np.triu(np.ones((len(cuts), len(cuts)), bool), 1), best[inside[0], inside[1]], -1.0)
    left, right = np.unravel_index(worth.argmax(), worth.shape)
    way = int(bounds[:, inside[0][left, right], inside[1][left, right]].argmax())
    return _Rule(float(cuts[left]), float(cuts[right]), way)


def _halves(pool: NDArray, rng: np.random.Generator) -> tuple[NDArray, NDArray]:
    order = rng.permutation(len(pool))
    return pool[order[: len(pool) // 2]], pool[order[len(pool) // 2 :]]


def _bounds(n: int, m: int, delta: float, error: float) -> NDArray[np.float64]:
    """[4, n + 1, m + 1] lower bounds on epsilon, by how many of n answers of P and of m of Q lie in an interval.

    S is the interval, with P over Q and with Q over P; then it is what lies outside of the interval.
    """
    # The pools are independent, so the probability that both rates lie within their bounds is the square of one's.
    each = 1 - (1 - error) ** 0.5
    first = _epsilon(_lowest(n, each), _highest(m, each), delta)
    second = _epsilon(_lowest(m, each), _highest(n, each), delta).T
    return np.stack([first, second, first[::-1, ::-1], second[::-1, ::-1]])


def _lowest(n: int, error: float) -> NDArray[np.float64]:
    """[n + 1] lower bounds on a probability, by the number of successes in n trials."""
    hits = np.arange(1, n + 1)
    return np.concatenate([[0.0], beta.ppf(error, hits, n - hits + 1)])


def _highest(n: int, error: float) -> NDArray[np.float64]:
    """[n + 1] upper bounds on a probability, by the number of successes in n trials."""
    return 1 - _lowest(n, error)[::-1]


def _epsilon(lowest: NDArray, highest: NDArray, delta: float) -> NDArray[np.float64]:
    """[n + 1, m + 1] smallest epsilons consistent with the bounds on the two rates, at least 0."""
    excess = np.maximum(lowest - delta, 0)[:, None]
    with np.errstate(divide="ignore"):
        return np.maximum(np.log(excess) - np.log(highest)[None, :], 0.0)
