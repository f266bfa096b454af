"""Other views of training pictures: the random crop and flip that CIFAR-10 is trained with."""

from dataclasses import dataclass

import torch
from torch import Generator, Tensor


@dataclass(frozen=True)
class CropAndFlip:
    """Shift each picture at random, and mirror every other one.

    Attributes:
        padding: the most pixels that a picture is shifted by, in each direction.
        fill: what comes in at the edges, a value a channel on the scale of the inputs.
    """

    padding: int
    fill: tuple[float, ...]

    def draw(self, examples: int, generator: Generator | None = None) -> Tensor:
        """[examples, 3] int64: rows and columns to begin at, in [0, 2 * padding], and whether to mirror."""
        begins = torch.randint(2 * self.padding + 1, (examples, 2), generator=generator)
        mirrored = torch.randint(2, (examples, 1), generator=generator)
        return torch.cat([begins, mirrored], dim=1)

    def apply(self, inputs: Tensor, drawn: Tensor) -> Tensor:
        """The views of [B, C, H, W] pictures that [B, 3] numbers from ``draw`` stand for."""
        size, _, height, width = inputs.shape
        # Filled on the device: a copy to it could not be recorded as part of a training step.
        padded_size = size, 1, height + 2 * self.padding, width + 2 * self.padding
        padded = torch.cat([inputs.new_full(padded_size, value) for value in self.fill], dim=1)
        padded[:, :, self.padding : self.padding + height, self.padding : self.padding + width] = inputs
        top, left, mirrored = drawn.unsqueeze(2).unbind(1)
        rows = top + torch.arange(height, device=inputs.device)
        columns = torch.arange(width, device=inputs.device).expand(size, width)
        columns = left + torch.where(mirrored.bool(), columns.flip(1), columns)
        examples = torch.arange(size, device=inputs.device).view(-1, 1, 1)
        return padded.permute(0, 2, 3, 1)[examples, rows.unsqueeze(2), columns.unsqueeze(1)].permute(0, 3, 1, 2)
