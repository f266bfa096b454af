"""K networks as one, for architectures without layers of their own here: their weights stacked, their code mapped."""

from collections.abc import Sequence

import torch
from torch import Tensor, func, nn

from scoring.learners.fused.layers import CannotFuseError

BY_CHANCE = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout, nn.RReLU)
"""Layers that draw random numbers, which many models at once would share."""


class StackedNetwork(nn.Module):
    """K networks as one: [B, K, ...] inputs, each model with its own, to [B, K, C, ...] logits.

    ``torch.func.vmap`` runs the first network's code for all of them, with weights [K, ...].

    Args:
        networks: K >= 1 networks of one architecture; they are not changed.
        inputs: [n >= 1, ...] examples of their inputs.

    Raises:
        CannotFuseError: the architecture has buffers, draws random numbers, or cannot be mapped.
    """

    def __init__(self, networks: Sequence[nn.Module], inputs: Tensor) -> None:
        super().__init__()
        self.models = len(networks)
        first = networks[0]
        for module in first.modules():
            if isinstance(module, BY_CHANCE) or any(True for _ in module.buffers(recurse=False)):
                raise CannotFuseError(f"it contains {type(module).__name__}")
        stacked, _ = func.stack_module_state(list(networks))
        self.names = list(stacked)
        # A name with dots cannot be a parameter's.
        self.weights = nn.ParameterList(value.detach().clone() for value in stacked.values())
        # In a list, so that its weights do not become parameters of this module.
        self._code = [first]
        self._check(networks, inputs[:2])

    def forward(self, inputs: Tensor) -> Tensor:
        """The logits of all models, each on its own inputs."""

        def one(weights: dict[str, Tensor], own: Tensor) -> Tensor:
            return func.functional_call(self._code[0], weights, (own,))

        weights = dict(zip(self.names, self.weights, strict=True))
        logits = func.vmap(one, in_dims=(0, 1), out_dims=1)(weights, inputs)
        # In memory, the class axis last and models adjacent, so that the loss needs no copy.
        return logits.movedim(2, -1).contiguous().movedim(-1, 2)

    def _check(self, networks: Sequence[nn.Module], inputs: Tensor) -> None:
        """Refuse an architecture whose code cannot be mapped."""
        with torch.no_grad():
            alone = torch.stack([network(inputs) for network in networks], dim=1)
            try:
                together = self(inputs.unsqueeze(1).expand(-1, self.models, *inputs.shape[1:]))
            except (RuntimeError, ValueError, IndexError, TypeError) as error:
                raise CannotFuseError(f"its forward code cannot be mapped over models: {error}") from error
        if alone.shape != together.shape or not torch.allclose(alone, together, rtol=1e-3, atol=1e-3):
            raise CannotFuseError("its forward code answers otherwise for several models")
