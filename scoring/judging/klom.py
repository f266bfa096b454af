"""KLoM, the KL divergence of margins: how far unlearned models' answers are from retrained ones', example by example.

For comparison only; lower is better. It is the measure of two public benchmarks, Data-Unlearn-Bench and EasyDUB. Their
margin is the logit-scaled confidence.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scoring.judging.outputs import Outputs

LARGEST_MARGIN = 100.0
BINS = 20
FLOOR = 1e-5
"""Lower bound on the retrained pool's probability of a bin. It caps the divergence at ln(1 / FLOOR), which is 11.5."""

PERCENTILE = 95


@dataclass(frozen=True)
class Klom:
    """The ``PERCENTILE``-th percentiles of the divergences over the examples of a set, in nats, from 0 to 11.5."""

    forget: float
    test: float


def percentiles(unlearned: Outputs, retrained: Outputs) -> Klom:
    """KLoM as it is reported, of an unlearned pool against a retrained one.

    Finite pools always differ, and small ones differ more. So compare with the KLoM between two retrained pools of
    the same size.

    Raises:
        ValueError: the pools do not belong together, or as for ``klom``.
    """
    if unlearned.identity != retrained.identity:
        raise ValueError(
            f"expected pools of one task, seed and reference; found {unlearned.identity} and {retrained.identity}"
        )
    forget = klom(unlearned.forget_confidence, retrained.forget_confidence)
    test = klom(unlearned.test_confidence, retrained.test_confidence)
    return Klom(float(np.percentile(forget, PERCENTILE)), float(np.percentile(test, PERCENTILE)))


def klom(unlearned: ArrayLike, retrained: ArrayLike) -> NDArray[np.float64]:
    """KL(unlearned || retrained) of each example, from histograms over the range of both pools.

    As in the source, the last bin is open on the right, so the largest margin of an example is in no bin and its model
    does not count. There is one exception: if several models share the largest margin, all of them count, in the last
    bin. In the source none would, and a pool that collapsed to one high margin would have a divergence of 0.

    Source: Rinberg et al., Data-Unlearn-Bench (2025), after Georgiev et al., Attribute-to-Delete (2024). Clipping, bins
    and floor are as in the code of easydub/EasyDUB-code. That of RoyRin/data-unlearning-bench also divides the floored
    histogram by its sum, which adds at most 2e-4.

    Args:
        unlearned: [N, F] finite logit-scaled confidences in nats, N >= 2, F >= 1.
        retrained: [M, F] the same of M >= 2 retrained models.

    Returns:
        [F] divergences in nats, from 0 to 11.5.

    Raises:
        ValueError: shapes that do not fit, too few models or examples, NaN or infinite confidences.
    """
    pools = np.asarray(unlearned, np.float64), np.asarray(retrained, np.float64)
    shapes = [pool.shape for pool in pools]
    if any(pool.ndim != 2 or len(pool) < 2 for pool in pools) or not shapes[0][1] == shapes[1][1] > 0:
        raise ValueError(f"expected [models >= 2, F] twice with the same F >= 1, found {shapes}")
    if not all(np.isfinite(pool).all() for pool in pools):
        raise ValueError("expected finite confidences, found NaN or infinite ones")
    clipped = (np.clip(pool, -LARGEST_MARGIN, LARGEST_MARGIN).T for pool in pools)
    return np.array([_divergence(*example) for example in zip(*clipped, strict=True)])


def _divergence(unlearned: NDArray[np.float64], retrained: NDArray[np.float64]) -> float:
    """The divergence of two samples of one example."""
    both = np.concatenate([unlearned, retrained])
    edges = np.linspace(both.min(), both.max(), BINS + 1)
    last = BINS if np.sum(both == both.max()) == 1 else BINS - 1
    p, q = (_histogram(pool, edges, last) for pool in (unlearned, retrained))
    seen = p > 0
    return float(np.sum(p[seen] * np.log(p[seen] / np.maximum(q[seen], FLOOR))))


def _histogram(sample: NDArray[np.float64], edges: NDArray[np.float64], last: int) -> NDArray[np.float64]:
    """[BINS] shares of a sample by bin. What lies on the last edge is in bin ``last``, or in none if that is BINS."""
    bins = np.minimum(np.digitize(sample, edges) - 1, last)
    counts = np.bincount(bins, minlength=BINS)[:BINS]
    return counts / counts.sum()
