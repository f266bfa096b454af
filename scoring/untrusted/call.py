"""One run of a submission: what it gets, and the weights that it leaves."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from time import perf_counter

import torch
from safetensors.torch import save
from torch import Tensor, nn

from scoring.untrusted.ended import Ended
from scoring.untrusted.submission import Submission
from scoring.untrusted.torch_state import remembered
from starter_kit.errors import SubmissionError
from starter_kit.examples import ExampleLoader, Examples
from starter_kit.training import seed_everything


@dataclass(frozen=True, eq=False)
class Handed:
    """All that a submission's process holds: neither the test set, nor a pool, nor the store.

    Attributes:
        submission: the file to run.
        network: returns a network of the task.
        weights: those of the original model.
        retain, forget, validation: the task's sets of these names.
        device: where the run computes.
        only_execute: whether a run ends once the file is executed. That shows a mistake before anything is trained.
    """

    submission: Submission
    network: Callable[[], nn.Module]
    weights: dict[str, Tensor]
    retain: Examples
    forget: Examples
    validation: Examples
    device: str
    only_execute: bool = False

    def copied(self, device: str) -> "Handed":
        """The same with tensors of its own, the examples on a device. Nobody else sees them being written to."""

        def copy(examples: Examples) -> Examples:
            return Examples(*(column.to("cpu", copy=True) for column in examples.columns)).to(torch.device(device))

        return replace(
            self,
            weights={name: value.clone() for name, value in self.weights.items()},
            retain=copy(self.retain),
            forget=copy(self.forget),
            validation=copy(self.validation),
        )

    def original(self) -> nn.Module:
        """A new copy of the original model on the device of the examples."""
        net = self.network()
        net.load_state_dict(self.weights)
        return net.to(self.forget.targets.device)


Call = Callable[[int], bytes]
"""A run that is ready to start: from its seed, in [0, 2**64), to the weights that it leaves, as ``.safetensors``."""


def prepare(handed: Handed) -> Call:
    """Make all that a run gets, and return the function that runs it. It can be called once.

    It raises whatever the submission raises, and ``SubmissionError`` if the model has no weights that could be judged.

    Args:
        handed: its tensors are the run's own. All random numbers of the run follow from the seed.
    """
    if handed.only_execute:
        return partial(_execute, handed.submission)
    net = handed.original().train()
    loaders = [ExampleLoader(examples) for examples in (handed.retain, handed.forget, handed.validation)]

    def call(seed: int) -> bytes:
        unlearning = handed.submission.execute()
        seed_everything(seed)
        returned = unlearning(net, *loaders)
        return _weights_of(net if returned is None else returned)

    return call


def _execute(submission: Submission, seed: int) -> bytes:
    """No weights, once the file is executed."""
    submission.execute()
    return b""


def run_in_place(handed: Handed, seed: int) -> Ended:
    """Make a run in this very process, where ``print`` and a debugger reach it, and nothing is isolated."""
    restore = remembered()
    call = prepare(handed.copied(handed.device))
    start = perf_counter()
    try:
        content = call(seed)
    except SubmissionError as error:
        return Ended("error", str(error).encode())
    except (Exception, SystemExit) as error:
        return Ended("error", handed.submission.explain(error).encode(errors="backslashreplace"))
    finally:
        restore()
    return Ended("weights", content, perf_counter() - start)


def _weights_of(model: object) -> bytes:
    """A model's weights on the CPU, floating point numbers in single precision, as the content of a file."""
    if not isinstance(model, nn.Module):
        raise SubmissionError(
            f"unlearning returned {type(model).__name__}; expected the model, or None if `net` itself was changed."
        )
    state = {}
    for name, value in model.state_dict().items():
        if not (isinstance(name, str) and isinstance(value, Tensor)):
            raise SubmissionError(f"the model's state_dict holds {name!r}, a {type(value).__name__}; expected tensors.")
        if value.layout != torch.strided or value.device.type == "meta":
            raise SubmissionError(f"{name} is {value.layout} on {value.device}; expected a dense tensor with values.")
        value = value.detach()
        # safetensors refuses weights that share memory, such as tied ones.
        state[name] = (value.float() if value.is_floating_point() else value).to("cpu", copy=True).contiguous()
    return save(state)
