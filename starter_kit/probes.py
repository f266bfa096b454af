"""Questions that a text task asks its models in addition to its four sets."""

from dataclasses import dataclass

import torch

from starter_kit.examples import Examples

FORGET = "forget"
"""The probe of what is to be forgotten. All others ask what a model should still know."""


@dataclass(frozen=True, eq=False)
class Probe:
    """Questions with answers of several kinds, as in TOFU. No model is trained on them.

    Attributes:
        answers: the questions with their true answers. What a model answers itself is recorded too.
        paraphrased: the same questions with the true answers in other words; None if there are none.
        perturbed: wrong answers, k consecutive rows per question; None if there are none.
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

    def about(self, examples: Examples) -> "Probe":
        """The questions that are about these examples, by their ``image_id``."""

        def part(kind: str) -> Examples:
            every = self.kinds[kind]
            chosen = torch.isin(every.image_id, examples.image_id)
            return every.with_columns(column[chosen] for column in every.columns)

        kinds = {kind: part(kind) for kind in self.kinds}
        return Probe(kinds["answer"], kinds.get("paraphrased"), kinds.get("perturbed"), self.choices)

    def to(self, device: torch.device) -> "Probe":
        """The same on a device."""
        kinds = {kind: examples.to(device) for kind, examples in self.kinds.items()}
        return Probe(kinds["answer"], kinds.get("paraphrased"), kinds.get("perturbed"), self.choices)
