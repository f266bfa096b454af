"""Judge unlearning: train the pools, attack them, score.

The functions exported here judge arrays. They need NumPy alone and never see a model.
"""

from scoring.judging.confidence import logit_scaled_confidence
from scoring.judging.outputs import Identity, Outputs
from scoring.judging.score import Score, epsilons, forgetting_quality, score

__all__ = ["Identity", "Outputs", "Score", "epsilons", "forgetting_quality", "logit_scaled_confidence", "score"]
