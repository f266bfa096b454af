"""A run that unlearns: it gets a copy of the original model and leaves weights. And one that only executes the file."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from safetensors.torch import save
from torch import Tensor, nn

from scoring.untrusted.checkpoints import largest
from scoring.untrusted.handed import Call, copied, train_briefly
from scoring.untrusted.model_info import LONGEST, info_of, packed
from scoring.untrusted.submission import Submission
from starter_kit.errors import SubmissionError
from starter_kit.examples import ExampleLoader, Examples
from starter_kit.training import seed_everything


@dataclass(frozen=True, eq=False)
class Unlearning:
    """What a run gets that starts from the original model.

    A request is a seed in [0, 2**64), eight bytes. `model_info.py` packs the answer; weights are a ``.safetensors``.

    Attributes:
        submission: the file to run.
        network: returns a network of the task.
        weights: those of the original model.
        retain, forget, validation: the task's sets of these names.
        device: where the run computes.
    """

    submission: Submission
    network: Callable[[], nn.Module]
    weights: dict[str, Tensor]
    retain: Examples
    forget: Examples
    validation: Examples
    device: str
    one_request: ClassVar[bool] = True

    @property
    def most(self) -> int:
        """The size of the largest answer: the weights, and what the model declares."""
        return largest(self.weights) + LONGEST

    @property
    def sets(self) -> tuple[Examples, Examples, Examples]:
        """Retain, forget and validation."""
        return self.retain, self.forget, self.validation

    def copied(self, device: str) -> "Unlearning":
        """The same with tensors of its own, the examples on a device."""
        retain, forget, validation = (copied(examples, device) for examples in self.sets)
        weights = {name: value.clone() for name, value in self.weights.items()}
        return replace(self, weights=weights, retain=retain, forget=forget, validation=validation)

    def warm_up(self) -> None:
        """Train the original on a few batches."""
        train_briefly(self._original(), *self.sets)

    def prepare(self) -> Call:
        """The function that runs the submission; it can be called once.

        It raises ``SubmissionError`` if the model has no weights that could be judged.
        """
        net = self._original().train()
        loaders = [ExampleLoader(examples) for examples in self.sets]

        def call(seed: bytes) -> bytes:
            unlearning = self.submission.execute()["unlearning"]
            seed_everything(int.from_bytes(seed, "little"))
            returned = unlearning(net, *loaders)
            return _weights_of(net if returned is None else returned)

        return call

    def _original(self) -> nn.Module:
        """A new copy of the original model on the device of the examples."""
        net = self.network()
        net.load_state_dict(self.weights)
        return net.to(self.forget.targets.device)


@dataclass(frozen=True, eq=False)
class Execution:
    """A run that executes the file and ends: a mistake in it shows before anything is trained."""

    submission: Submission
    device: ClassVar[str] = "cpu"
    one_request: ClassVar[bool] = True
    most: ClassVar[int] = 0

    def copied(self, device: str) -> "Execution":
        """Itself."""
        return self

    def warm_up(self) -> None:
        """Nothing."""

    def prepare(self) -> Call:
        """The function that executes the file, whatever the request."""

        def call(request: bytes) -> bytes:
            self.submission.execute()
            return b""

        return call


def _weights_of(model: object) -> bytes:
    """A model's weights on the CPU, floating point numbers in single precision, as the content of a file."""
    if not isinstance(model, nn.Module):
        raise SubmissionError(
            f"unlearning returned {type(model).__name__}; expected the model, or None if `net` was changed in place."
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
    return packed(info_of(model), save(state))
