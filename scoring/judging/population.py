"""A population attack like RMIA: is a model more confident on forget examples than on test examples it never saw?

For comparison only. Like the attack of the challenge's starting kit, it looks at one unlearned model at a time. Unlike
that attack, it measures each confidence against those of retrained models on the same example.
"""

import numpy as np
from numpy.typing import NDArray

from scoring.judging.membership import FEWEST_EXAMPLES, losses
from scoring.judging.outputs import Outputs

OFFLINE_A = 0.3
"""p_in, an example's probability under models that saw it, is guessed from p_out, the one under models that did not:
p_in = OFFLINE_A * p_out + 1 - OFFLINE_A."""


def population_attack(unlearned: Outputs, retrained: Outputs) -> float | None:
    """The area under the attack's ROC curve in [0, 1], averaged over the unlearned models; 0.5 is guessing.

    An example's ratio is its probability under the attacked model, divided by the mean of p_out and p_in: its
    probability under models that did not see it, and under models that did. An example is taken for a member if its
    ratio is at least that of many test examples. So the area is the share of pairs of a forget and a test example in
    which the forget example has the larger ratio; ties count half. No test example is compared with itself.

    An exact method need not be at 0.5: hard examples reveal that a model did not see them, easy ones reveal nothing,
    and the two sets may differ in difficulty. An exact method gets what one half of the retrained models gets against
    the other half. Below that, a model is less confident on the forget examples than it should be.

    Source: Zarifzadeh et al., Low-Cost High-Power Membership Inference Attacks (ICML 2024), in its offline form: the
    retrained models are the reference models, the test set is the population. ``OFFLINE_A`` is as in the code of
    privacytrustlab/ml_privacy_meter, and so is gamma = 1: ratios are compared without a margin.

    Args:
        unlearned: the models to attack.
        retrained: any number of models that never saw the forget examples.

    Returns:
        The mean area, or None if the forget set or the test set has fewer than ``FEWEST_EXAMPLES`` examples.

    Raises:
        ValueError: the pools do not belong together or differ in their examples.
    """
    if unlearned.identity != retrained.identity:
        raise ValueError(
            f"expected pools of one task, seed and reference; found {unlearned.identity} and {retrained.identity}"
        )
    sets = [(pool.forget_confidence, pool.test_confidence) for pool in (unlearned, retrained)]
    examples = [(forget.shape[1], test.shape[1]) for forget, test in sets]
    if examples[0] != examples[1]:
        raise ValueError(f"expected the same numbers of forget and test examples in both pools, found {examples}")
    if min(examples[0]) < FEWEST_EXAMPLES:
        return None
    forget, test = (_log_ratios(attacked, reference) for attacked, reference in zip(*sets, strict=True))
    return float(np.mean([_area(*model) for model in zip(forget, test, strict=True)]))


def _log_ratios(attacked: NDArray[np.float64], reference: NDArray[np.float64]) -> NDArray[np.float64]:
    """[N, E] log p - log((p_in + p_out) / 2), where p_out is the mean probability of the reference models."""
    # The complement of a probability near 1 is precise, the probability is not.
    wrong_out = np.exp(-losses(-reference)).mean(axis=0)
    return -losses(attacked) - np.log1p(-(1 + OFFLINE_A) / 2 * wrong_out)


def _area(members: NDArray[np.float64], others: NDArray[np.float64]) -> float:
    """The share of pairs in which the member's number is the larger one; ties count half."""
    others = np.sort(others)
    below = np.searchsorted(others, members, "left") + np.searchsorted(others, members, "right")
    return float(below.mean() / (2 * len(others)))
