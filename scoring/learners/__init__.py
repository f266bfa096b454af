"""Learners make models: the task's recipe, or a submission that brings its own learning."""

from collections.abc import Callable

from torch import Tensor

Answer = Callable[[Tensor], Tensor]
"""What K models answer: [B, ...] inputs to [B, K, C] logits, or [B, K, C, L] for sequences."""
