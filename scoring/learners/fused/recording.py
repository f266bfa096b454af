"""Record a training step on a GPU once and replay it: one call launches its hundreds of kernels."""

import gc
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache

import torch
from torch import Tensor

from starter_kit.errors import out_of_gpu_memory

WARM_UP = 3
"""Steps before one is recorded: libraries initialise themselves in the first ones."""

SPARE = 1.1
"""How much more memory must be free than a launched step took."""

Step = Callable[[Tensor], None]
"""A training step on rows of an epoch, [B, ...]."""


class CannotRecordError(Exception):
    """A step could not be recorded. The attempt leaves torch's allocator unfit for more, so the process must end.

    Attributes:
        for_memory: whether memory ran out.
    """

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error).partition("\n")[0])
        self.for_memory = out_of_gpu_memory(error)


class RecordedSteps:
    """Advances by a step that is launched a few times, then recorded, and replayed from then on.

    Batches of another size than the first one are launched. The step must read everything that changes, such as the
    learning rate, from the GPU's memory.
    """

    def __init__(self, step: Step, capture: Callable[[Step, Tensor], Callable[[], None]] | None = None) -> None:
        self._step, self._capture = step, capture or _capture
        self._launched, self._rows = 0, torch.empty(0)
        self._replay: Callable[[], None] | None = None

    def __call__(self, batches: Sequence[Tensor]) -> None:
        """Advance by a step per batch."""
        for rows in batches:
            if self._launched and len(rows) != len(self._rows):
                self._launch(rows)
            elif self._launched < WARM_UP:
                self._rows = rows.clone()
                self._launched += 1
                with _room_for_a_record(rows.device, self._launched == WARM_UP):
                    self._launch(rows)
            else:
                self._rows.copy_(rows)
                self._replay = self._replay or self._record()
                self._replay()

    def _launch(self, rows: Tensor) -> None:
        with warnings.catch_warnings():
            # An optimizer that can be recorded is slower if it is not, and says so.
            warnings.filterwarnings("ignore", message="This instance was constructed with capturable=True")
            self._step(rows)

    def _record(self) -> Callable[[], None]:
        # If Python freed an older record meanwhile, that would break this one.
        gc.disable()
        try:
            return self._capture(self._step, self._rows)
        except Exception as error:
            raise CannotRecordError(error) from error
        finally:
            gc.enable()


def _capture(step: Step, rows: Tensor) -> Callable[[], None]:
    """A function that launches a whole step on ``rows`` in one call."""
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, stream=torch.cuda.current_stream(rows.device)):
        step(rows)
    return graph.replay


@contextmanager
def _room_for_a_record(device: torch.device, measured: bool) -> Iterator[None]:
    """Measure what the step within takes, and see whether as much is free: a record has memory of its own.

    Raises:
        torch.OutOfMemoryError: there is too little. While recording, this would come too late.
    """
    if device.type != "cuda" or not measured:
        yield
        return
    torch.cuda.reset_peak_memory_stats(device)
    held = torch.cuda.memory_allocated(device)
    yield
    torch.cuda.synchronize(device)
    needed = SPARE * (torch.cuda.max_memory_allocated(device) - held)
    cached = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    free = torch.cuda.mem_get_info(device)[0] + cached
    if free < needed:
        raise torch.OutOfMemoryError(f"recording a step takes {needed / 2**30:.1f} GiB; {free / 2**30:.1f} are free")


@cache
def _stream(device: torch.device) -> "torch.cuda.Stream":
    """One stream per process: each new one would get workspaces of its own from cuBLAS."""
    return torch.cuda.Stream(device)


@contextmanager
def gpu_for_training(device: torch.device) -> Iterator[None]:
    """On a GPU a second stream, as steps cannot be recorded on the default one, and the fast kernels; else nothing."""
    if device.type != "cuda":
        yield
        return
    cudnn, precision = torch.backends.cudnn, torch.get_float32_matmul_precision()
    before = cudnn.benchmark
    default, own = torch.cuda.current_stream(device), _stream(device)
    own.wait_stream(default)
    try:
        # Shapes never change, so trying all kernels pays off. Products get the precision that convolutions have.
        cudnn.benchmark = True
        torch.set_float32_matmul_precision("high")
        with torch.cuda.stream(own):
            yield
    finally:
        cudnn.benchmark = before
        torch.set_float32_matmul_precision(precision)
        default.wait_stream(own)
