"""Random views of training pictures: the crop and flip that CIFAR-10 models are trained with."""

from dataclasses import dataclass

import torch
from torch import Generator, Tensor


@dataclass(frozen=True)
class CropAndFlip:
    """Shift each picture by a random offset, and mirror it with probability 1/2.

    Attributes:
        padding: the largest shift in each direction, in pixels.
        fill: the colour of the padding: one value per channel, on the scale of the inputs.
    """

    padding: int
    fill: tuple[float, ...]

    def draw(self, examples: int, generator: Generator | None = None) -> Tensor:
        """Random numbers for so many examples, drawn on the CPU.

        Returns:
            [examples, 3] int64: the first row and the first column of the view, in [0, 2 * padding], and whether to
            mirror it, 0 or 1.
        """
        begins = torch.randint(2 * self.padding + 1, (examples, 2), generator=generator)
        mirrored = torch.randint(2, (examples, 1), generator=generator)
        return torch.cat([begins, mirrored], dim=1)

    def apply(self, inputs: Tensor, drawn: Tensor) -> Tensor:
        """The views of [B, C, H, W] pictures that [B, 3] numbers from ``draw`` select; the shape stays the same."""
        size, _, height, width = inputs.shape
        # Filled on the device, because a copy from the CPU cannot be recorded as part of a training step.
        padded_size = size, 1, height + 2 * self.padding, width + 2 * self.padding
        padded = torch.cat([inputs.new_full(padded_size, value) for value in self.fill], dim=1)
        padded[:, :, self.padding : self.padding + height, self.padding : self.padding + width] = inputs
        top, left, mirrored = drawn.unsqueeze(2).unbind(1)
        rows = top + torch.arange(height, device=inputs.device)
        columns = torch.arange(width, device=inputs.device).expand(size, width)
        columns = left + torch.where(mirrored.bool(), columns.flip(1), columns)
        examples = torch.arange(size, device=inputs.device).view(-1, 1, 1)
        return padded.permute(0, 2, 3, 1)[examples, rows.unsqueeze(2), columns.unsqueeze(1)].permute(0, 3, 1, 2)
