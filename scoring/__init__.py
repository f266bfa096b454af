"""What judges: train the pools, attack them, score.

The judging half, exported here, needs NumPy alone and never sees a model.
"""

from scoring.confidence import logit_scaled_confidence
from scoring.outputs import Outputs
from scoring.score import Score, epsilons, forgetting_quality, score

__all__ = ["Outputs", "Score", "epsilons", "forgetting_quality", "logit_scaled_confidence", "score"]
