"""Many trainings advanced in one step.

K networks of one architecture become one network with K times the channels, whose convolutions are grouped by
model: a batch of B examples for each of K models travels as [B, K * C, H, W]. Batch norm normalises each channel
by itself, pooling and ReLU know no channels, and gradient descent treats each weight alone, so that every model is
trained just as it would be by itself, up to the rounding of sums. The forward code of the architecture runs
unchanged; only its layers with weights are replaced.
"""

from scoring.fused.layers import CannotFuseError
from scoring.fused.network import FusedNetwork
from scoring.fused.training import logits_of_all, train_fused

__all__ = ["CannotFuseError", "FusedNetwork", "logits_of_all", "train_fused"]
