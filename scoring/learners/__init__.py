"""Learners make models: the task's recipe, or a submission that brings its own learning."""

from collections.abc import Callable

from torch import Tensor

Answer = Callable[[Tensor], Tensor]
"""What K models answer to inputs [B, K, ...], each to its own: logits [B, K, C], or [B, K, C, L] for sequences."""
