"""Train many models in one step.

K networks of one architecture become one network with K times the channels, whose convolutions are grouped by model.
A batch of B examples for each of K models is a tensor [B, K * C, H, W]. Batch norm normalises each channel by itself,
pooling and ReLU do not mix channels, and gradient descent treats each weight by itself. So every model is trained
exactly as it would be alone, up to the rounding of sums. The architecture's forward code runs unchanged; only layers
with weights are replaced. Architectures with other layers, such as transformers, are mapped by ``torch.func``.
"""

from scoring.learners.fused.layers import CannotFuseError
from scoring.learners.fused.network import FusedNetwork
from scoring.learners.fused.recording import CannotRecordError
from scoring.learners.fused.stacked import StackedNetwork
from scoring.learners.fused.training import answer_of_all, fuse, train_fused

__all__ = [
    "CannotFuseError",
    "CannotRecordError",
    "FusedNetwork",
    "StackedNetwork",
    "answer_of_all",
    "fuse",
    "train_fused",
]
