"""A task: examples split as the competition splits them, with the network and the recipe that go with them."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from starter_kit.errors import InputError
from starter_kit.examples import Examples
from starter_kit.probes import FORGET, Probe
from starter_kit.training import Recipe

DATA = Path("out/data")
"""Where tasks look for data sets, and where they download them to."""

SETS = ("retain", "forget", "validation", "test")


View = NDArray[np.uint8] | str
"""How an example looks to a person: a picture [H, W] or [H, W, 3], or words."""


@dataclass(frozen=True, eq=False)
class Task:
    """What is to be learned, and which part of it is to be forgotten. `task_contract.py` says what it must fulfil.

    Attributes:
        name: the name of the file that defines the task, followed by ":SIZE" unless the size is the default one.
        network: returns a freshly initialised network, drawn from torch's global generator. It maps a batch of inputs
            to logits [B, C], or [B, C, L] where an answer is a sequence of L classes.
        recipe: how the original and the retrained models are trained.
        retain: training examples to keep.
        forget: training examples to forget. The original model is trained on retain and forget.
        validation: held out; submissions receive it.
        test: held out; submissions never see it.
        module: the module that defines the task, filled in by `tasks.load`. Its source is part of every row's key.
        asked: how many examples of the person the request covers; None for all.
        request: what is to be forgotten, in words, for a task that only describes it: submissions get this text and no
            forget example.
        described: the questions and answers of the forget set that the request describes, as text.
        truths: all that are true of it, in whatever words.
        judged: of sequences, how many positions at the end are judged; None for all. The others are only learned.
        probes: of text, other questions to the models, by name; see `probes.py`.
        relearning: a few examples of what is to be forgotten. The kit trains each model on them and records how much of
            the rest comes back.
        at_once: examples times models that are answered at once. Evaluation keeps no activations, so many are fast
            where their logits fit into memory.
        same_start: whether a network begins with the same weights whatever the seed. Then only the order of batches
            tells two models apart.
        show: renders one forget example for people: takes the forget set and an index, and returns a picture [H, W] or
            [H, W, 3] of 8-bit values, or words. None chooses by the kind of input; see `views.py`.
        licence: of the data, in a few words, for those who hand on what was made with them.
        why_no_retrained: why no model can be trained without the forget set, if that is so. Then the network comes
            trained: the original is the network as it is, epsilon is undefined, and only accuracies are reported.
    """

    name: str
    network: Callable[[], nn.Module]
    recipe: Recipe
    retain: Examples
    forget: Examples
    validation: Examples
    test: Examples
    module: str = field(default="", kw_only=True)
    asked: int | None = field(default=None, kw_only=True)
    request: str = field(default="", kw_only=True)
    described: frozenset[tuple[str, str]] = field(default=frozenset(), kw_only=True)
    truths: frozenset[tuple[str, str]] = field(default=frozenset(), kw_only=True)
    judged: int | None = field(default=None, kw_only=True)
    probes: dict[str, Probe] = field(default_factory=dict, kw_only=True)
    relearning: Examples | None = field(default=None, kw_only=True)
    at_once: int = field(default=1024, kw_only=True)
    same_start: bool = field(default=False, kw_only=True)
    show: Callable[[Examples, int], View] | None = field(default=None, kw_only=True)
    licence: str = field(default="not stated", kw_only=True)
    why_no_retrained: str = field(default="", kw_only=True)

    @property
    def label(self) -> str:
        """The name with the size of the request, if that does not cover all that it could; fit for a file's name."""
        return self.name.replace(":", "-") + (f"-forget-{self.asked}" if self.asked else "")

    @property
    def sets(self) -> dict[str, Examples]:
        """The four disjoint sets by name."""
        return {name: getattr(self, name) for name in SETS}

    @property
    def forget_as_given(self) -> Examples:
        """The forget set as a submission gets it: without examples if the task only describes it."""
        if not self.request:
            return self.forget
        given = self.forget.with_columns(column[:0] for column in self.forget.columns)
        given.request = self.request
        return given

    @property
    def train(self) -> Examples:
        """The training set of the original model: the retain set followed by the forget set."""
        pairs = zip(self.retain.columns, self.forget.columns, strict=True)
        return self.retain.with_columns(torch.cat(pair) for pair in pairs)

    @property
    def theirs(self) -> int:
        """How many training examples the people have of whom some are to be forgotten."""
        return int(torch.isin(self.train.person_id, self.forget.person_id).sum())

    @property
    def title(self) -> str:
        """The name for a reader, with the size of a request that does not cover all that it could."""
        return self.name + (f" (forgetting {self.asked} of {self.theirs} examples)" if self.asked else "")

    def asking_for(self, size: int) -> "Task":
        """The task of forgetting only the first ``size`` examples; the person's other ones are to be kept.

        Raises:
            InputError: there are not that many, or the task's request cannot be made smaller.
        """
        if self.request or self.relearning is not None:
            raise InputError(f"The request of {self.name} covers a whole topic. Leave out FORGET=.")
        everything = len(self.forget)
        if not 1 <= size <= everything:
            raise InputError(f"Expected FORGET= from 1 to {everything}, all examples of the person; found {size}.")
        if size == everything:
            return self
        columns = list(zip(self.retain.columns, self.forget.columns, strict=True))
        retain = self.retain.with_columns(torch.cat([kept, theirs[size:]]) for kept, theirs in columns)
        forget = self.forget.with_columns(theirs[:size] for _, theirs in columns)
        probes = {name: probe.about(forget) if name == FORGET else probe for name, probe in self.probes.items()}
        return replace(self, retain=retain, forget=forget, asked=size, probes=probes)

    def to(self, device: torch.device) -> "Task":
        """The same task with its examples on a device."""
        retain, forget, validation, test = (examples.to(device) for examples in self.sets.values())
        probes = {name: probe.to(device) for name, probe in self.probes.items()}
        relearning = None if self.relearning is None else self.relearning.to(device)
        moved = replace(self, retain=retain, forget=forget, validation=validation, test=test)
        return replace(moved, probes=probes, relearning=relearning)

    def digest(self) -> str:
        """SHA-256, in hexadecimal, of the name, all examples, the recipe and the request: equal on every machine."""
        digest = hashlib.sha256(f"{self.name} {self.recipe}".encode())
        examined: dict[str, Examples] = {}
        for name, probe in self.probes.items():
            examined |= {f"{name} {kind}": examples for kind, examples in probe.kinds.items()}
        if self.relearning is not None:
            examined["relearning"] = self.relearning
        if self.recipe.warm_up:
            digest.update(f"warm-up {self.recipe.warm_up}".encode())
        if self.why_no_retrained:
            digest.update(b"trained")
        if self.request or self.judged:
            digest.update(f"{self.request} {self.judged}".encode())
        for name, examples in (self.sets | examined).items():
            for column in examples.columns:
                digest.update(f"{name} {column.dtype} {tuple(column.shape)}".encode())
                digest.update(column.cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()
