"""Judge unlearning: train the pools, attack them, score.

The functions exported here judge arrays. They need NumPy and SciPy alone and never see a model.
"""

from scoring.judging.confidence import logit_scaled_confidence
from scoring.judging.interval import Interval, difference_interval, score_interval
from scoring.judging.outputs import Identity, Outputs
from scoring.judging.score import Score, epsilons, forgetting_quality, score

__all__ = [
    "Identity",
    "Interval",
    "Outputs",
    "Score",
    "difference_interval",
    "epsilons",
    "forgetting_quality",
    "logit_scaled_confidence",
    "score",
    "score_interval",
]
