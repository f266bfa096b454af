"""Jobs on their way to other machines: their tensors travel as arrays, which all workers of a machine read in place."""

import io
import pickle
import warnings
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from scoring.jobs.job import Job

Packed = tuple[bytes, list[NDArray[np.uint8]]]
"""What a job consists of, and the content of its tensors."""


class _Pickler(pickle.Pickler):
    """Pickles tensors on the CPU as arrays, whose content a buffer callback takes out of the pickle."""

    def reducer_override(self, value: Any) -> Any:
        """An array instead of a tensor."""
        if type(value) is Tensor and value.device.type == "cpu" and not value.requires_grad:
            # NumPy does not know all types of numbers.
            with suppress(TypeError):
                return _tensor_of, (value.numpy(),)
        return NotImplemented


def packed(job: Job) -> Packed:
    """The job as bytes, and its tensors as arrays that need no copy to be read."""
    buffers: list[pickle.PickleBuffer] = []
    text = io.BytesIO()
    _Pickler(text, protocol=5, buffer_callback=buffers.append).dump(job)
    return text.getvalue(), [np.frombuffer(buffer.raw(), np.uint8) for buffer in buffers]


def unpacked(text: bytes, buffers: Sequence[NDArray[np.uint8]]) -> Job:
    """Undo ``packed``. The job's tensors share memory with the arrays, and must not be changed."""
    return pickle.loads(text, buffers=buffers)


def _tensor_of(array: NDArray) -> Tensor:
    with warnings.catch_warnings():
        # It may not be written to, of which torch warns. Nothing does: jobs copy what they change.
        warnings.simplefilter("ignore", UserWarning)
        return torch.from_numpy(array)
