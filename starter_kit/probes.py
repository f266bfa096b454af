"""What a task of text asks its models besides its four sets: other answers to the same questions."""

from dataclasses import dataclass

import torch

from starter_kit.examples import Examples


@dataclass(frozen=True, eq=False)
class Probe:
    """Questions with answers of several kinds, after TOFU. Models are asked; nothing of it is learned.

    Attributes:
        answers: the questions with their true answers. What a model answers itself is recorded too.
        paraphrased: the same questions with the true answers in other words; None if there are none.
        perturbed: each question with k wrong answers in turn, k rows per question; None if there are none.
        choices: how many tokens at the end of each question are choices; 0 for questions without choices.
    """

    answers: Examples
    paraphrased: Examples | None = None
    perturbed: Examples | None = None
    choices: int = 0

    @property
    def kinds(self) -> dict[str, Examples]:
        """The examples by kind of answer."""
        every = {"answer": self.answers, "paraphrased": self.paraphrased, "perturbed": self.perturbed}
        return {kind: examples for kind, examples in every.items() if examples is not None}

    def to(self, device: torch.device) -> "Probe":
        """The same on a device."""
        kinds = {kind: examples.to(device) for kind, examples in self.kinds.items()}
        return Probe(kinds["answer"], kinds.get("paraphrased"), kinds.get("perturbed"), self.choices)
