"""A run that learns, unlearns and answers: the module that comes out stays in the process that made it.

The process receives the forget request only after learning, and the test inputs only after unlearning.
"""

import ast
import copy
import pickle
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from importlib import import_module
from typing import ClassVar, Literal

import torch
from safetensors.torch import save
from torch import Tensor, nn

from scoring.untrusted.handed import Call, copied, train_briefly
from scoring.untrusted.model_info import ATTRIBUTES, info_of
from scoring.untrusted.module_state import size_of, tensors_in
from scoring.untrusted.submission import Submission
from starter_kit.errors import SubmissionError
from starter_kit.examples import ExampleLoader, Examples
from starter_kit.extras import EXTRAS
from starter_kit.imports import imports
from starter_kit.training import seed_everything

LARGEST = 1 << 30
"""Bytes of an answer. Logits are few, and no state of a task's network has as many."""


@dataclass(frozen=True)
class Learn:
    """Draw a network from a seed, and learn from all examples but those with these ids."""

    seed: int
    leave_out: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Keep:
    """Keep a copy of the model as it is now, to answer as well."""


@dataclass(frozen=True)
class Unlearn:
    """Seed everything, and forget the examples with these ids."""

    seed: int
    ids: frozenset[int]


@dataclass(frozen=True, eq=False)
class Answer:
    """The logits of some inputs, from the model or from the copy that was kept of it."""

    of: Literal["model", "kept"]
    inputs: Tensor


@dataclass(frozen=True)
class Info:
    """What the model declares, and its size."""


@dataclass(frozen=True)
class State:
    """Everything that the model holds, except what it declares."""


@dataclass(frozen=True, eq=False)
class Learning:
    """What a run gets that brings its own learning algorithm.

    Requests are those above, pickled; `session.py` writes them and reads what comes back.

    Attributes:
        submission: the file to run, with ``learning`` and ``unlearning``.
        network: returns a network of the task.
        train: the examples to learn from, in the order of their ids, which says nothing about what is to be forgotten.
        validation: the task's set of this name.
        device: where the run computes.
    """

    submission: Submission
    network: Callable[[], nn.Module]
    train: Examples
    validation: Examples
    device: str
    one_request: ClassVar[bool] = False
    most: ClassVar[int] = LARGEST

    def copied(self, device: str) -> "Learning":
        """The same with tensors of its own, the examples on a device."""
        return replace(self, train=copied(self.train, device), validation=copied(self.validation, device))

    def warm_up(self) -> None:
        """Import packages that take seconds, and train a network of the task on a few batches."""
        imported = {module.partition(".")[0] for _, module in imports(ast.parse(self.submission.source))}
        for module in imported & EXTRAS.keys():
            # Not installed: the run says so.
            with suppress(ImportError):
                import_module(module)
        train_briefly(self.network(), self.train, self.validation)

    def prepare(self) -> Call:
        """The function that answers the requests of one run, one after the other."""
        return _Run(self)


class _Run:
    """The run's side: one model, from its learning on."""

    def __init__(self, handed: Learning) -> None:
        self.handed = handed
        self.left = handed.train
        self.model: nn.Module = nn.Identity()
        self.kept: nn.Module = self.model
        self.hooks: Mapping[str, Callable] = {}

    def __call__(self, request: bytes) -> bytes:
        match pickle.loads(request):
            case Learn(seed, leave_out):
                return self._learn(seed, leave_out)
            case Keep():
                return self._keep()
            case Unlearn(seed, ids):
                return self._unlearn(seed, ids)
            case Answer(of, inputs):
                return self._answer(self.model if of == "model" else self.kept, inputs)
            case State():
                held = tensors_in(self.model)
                return save({path: held[path] for path in held if re.split(r"[.\[]", path)[0] not in ATTRIBUTES})
            case Info():
                return info_of(self.model, size_of(self.model)).to_bytes()
            case other:
                raise AssertionError(f"no request: {other!r}")

    def _learn(self, seed: int, leave_out: frozenset[int]) -> bytes:
        self.hooks = self.handed.submission.execute()
        self.left = _split(self.left, leave_out)[1]
        seed_everything(seed)
        net = self.handed.network().to(self.handed.device).train()
        returned = self.hooks["learning"](net, ExampleLoader(self.left), ExampleLoader(self.handed.validation))
        return self._ended("learning", returned, net)

    def _keep(self) -> bytes:
        try:
            self.kept = copy.deepcopy(self.model)
        except Exception as error:
            raise SubmissionError(
                "the module that learning returned cannot be copied; the kit needs a copy to report its answers before "
                f"unlearning: copy.deepcopy raises {type(error).__name__}: {error}"
            ) from error
        return b""

    def _unlearn(self, seed: int, ids: frozenset[int]) -> bytes:
        forget, self.left = _split(self.left, ids)
        seed_everything(seed)
        loaders = [ExampleLoader(examples) for examples in (self.left, forget, self.handed.validation)]
        self.model.train()
        returned = self.hooks["unlearning"](self.model, *loaders)
        return self._ended("unlearning", returned, self.model)

    def _ended(self, hook: str, returned: object, given: nn.Module) -> bytes:
        """Take over the model that a hook left."""
        model = given if returned is None else returned
        if not isinstance(model, nn.Module):
            raise SubmissionError(
                f"{hook} returned {type(model).__name__}; expected a module, or None if `net` was changed in place."
            )
        if self.handed.device.startswith("cuda"):
            # The clock that measures this runs in another process.
            torch.cuda.synchronize()
        self.model = model
        return b""

    def _answer(self, model: nn.Module, inputs: Tensor) -> bytes:
        model.eval()
        with torch.no_grad():
            logits = model(inputs.to(self.handed.device))
        if not isinstance(logits, Tensor) or not logits.is_floating_point():
            raise SubmissionError(f"the model answers with {type(logits).__name__}; expected logits as one tensor.")
        return save({"logits": logits.float().to("cpu").contiguous()})


def _split(examples: Examples, ids: frozenset[int]) -> tuple[Examples, Examples]:
    """The examples with these ids, and the others, both in their order."""
    inside = torch.isin(examples.image_id.cpu(), torch.tensor(sorted(ids), dtype=torch.int64))
    inside = inside.to(examples.targets.device)
    first, second = (examples.with_columns(column[mask] for column in examples.columns) for mask in (inside, ~inside))
    return first, second
