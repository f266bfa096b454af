"""TOFU's measures of pools of language models, from what they answered to probes."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from scoring.judging.outputs import PROBES, Outputs
from scoring.judging.truth_ratio import (
    forget_aggregate,
    model_utility,
    pool_forget_quality,
    probability,
    probability_among,
    retain_aggregate,
    truth_ratio,
)

FORGET = "forget"
"""The probe of what is to be forgotten. All others ask for what a model should still know."""

OF_RETAINED = "retain"
"""The probe of what was learned and is kept: its probabilities are taken as they are, not among wrong answers."""


def truth_ratios(outputs: Outputs, probe: str = FORGET) -> NDArray[np.float64] | None:
    """[N, n] truth ratios of N models on the n questions of a probe; None if it has no wrong answers."""
    losses = [outputs.probes.get(f"{PROBES}{probe}.{kind}") for kind in ("paraphrased", "perturbed")]
    if losses[0] is None or losses[1] is None:
        return None
    return truth_ratio(losses[0], losses[1])


def forget_qualities(unlearned: Outputs, retrained: Outputs) -> tuple[float, float] | None:
    """TOFU's forget quality, model i of one pool against model i of the other.

    Returns:
        The median p-value, and the share of models that pass, both in [0, 1]; None without truth ratios.
    """
    ratios = truth_ratios(unlearned), truth_ratios(retrained)
    return None if ratios[0] is None or ratios[1] is None else pool_forget_quality(ratios[0], ratios[1])


def forget_truth_ratio(outputs: Outputs) -> float | None:
    """How close the truth ratios of what is to be forgotten are to 1: the median over models, in (0, 1]."""
    ratios = truth_ratios(outputs)
    return None if ratios is None else float(np.median([forget_aggregate(one) for one in ratios]))


def utilities(outputs: Outputs, recalls: Mapping[str, NDArray[np.float64]]) -> NDArray[np.float64] | None:
    """What each model is still good for: the harmonic mean of three measures on each probe but that of the forget set.

    Args:
        outputs: of N models.
        recalls: [N, n] ROUGE-L recalls of what the models answered, by probe.

    Returns:
        [N] utilities in [0, 1]; None if there is no such probe.
    """
    measures: list[list[float]] = []
    for probe, recall in recalls.items():
        ratios = truth_ratios(outputs, probe)
        if probe == FORGET or ratios is None:
            continue
        answers, wrong = (outputs.probes[f"{PROBES}{probe}.{kind}"] for kind in ("answer", "perturbed"))
        likely = [
            probability(one) if probe == OF_RETAINED else probability_among(one, others)
            for one, others in zip(answers, wrong, strict=True)
        ]
        measures += [likely, recall.mean(axis=1).tolist(), [retain_aggregate(one) for one in ratios]]
    return np.array([model_utility(model) for model in np.transpose(measures)]) if measures else None
