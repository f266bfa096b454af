"""A downloaded language model as a classifier: which letter does it put after a question with choices?"""

from collections.abc import Sequence

from torch import Tensor

from starter_kit.networks.language_model import LanguageModel


class MultipleChoice(LanguageModel):
    """The log-probabilities of some tokens after the last one.

    Args:
        folder: as for ``LanguageModel``. The model is frozen, with adapters.
        letters: C token ids, one per choice.
    """

    def __init__(self, folder: str, letters: Sequence[int]) -> None:
        super().__init__(folder, answers=1)
        self.letters = list(letters)

    def forward(self, tokens: Tensor) -> Tensor:
        """[B, L] token ids to [B, C] log-probabilities, each over the whole vocabulary."""
        return self.last_logits(tokens, 1)[:, 0].log_softmax(dim=1)[:, self.letters]
