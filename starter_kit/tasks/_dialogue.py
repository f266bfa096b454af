"""Questions with answers as token ids, in the words that a language model was trained to be asked with."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from starter_kit.answers import NOT_ASKED
from starter_kit.errors import TaskError, quoted
from starter_kit.examples import Examples
from starter_kit.tasks import _hub

TODAY = "10 Apr 2025"
"""The date that chat templates state: prompts must not change from day to day."""

NOTHING = -1
"""The input where there is no token. Many tokenizers have no id for it; see `networks/language_model.py`."""

Pair = tuple[str, str]
"""A question and its answer."""

Encoded = tuple[list[int], list[int]]


class Dialogue:
    """Turns questions and answers into token ids.

    The model's own chat template is used: a question of the user, and the answer as the assistant's with the token that
    ends it. A model without one is asked in TOFU's format for such models, "Question: ...\\nAnswer: ...", and the
    answer ends with the tokenizer's end of text.

    Args:
        folder: holds the model's tokenizer and its configuration.

    Raises:
        TaskError: one of them cannot be read, or the tokenizer has neither a chat template nor an end of text.
    """

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.tokenizer: Any = _hub.tokenizer_of(folder)
        self.context = _hub.context_of(folder)
        if not (self.tokenizer.chat_template or self.tokenizer.eos_token):
            raise TaskError(
                f"{quoted(folder)}: expected a tokenizer with a chat template or an end of text (eos_token), to end "
                "answers with; found neither. Name another model with MODEL=."
            )

    def encoded(self, pair: Pair) -> Encoded:
        """The token ids of the question, with all that leads to the answer, and those of the answer with its end.

        Raises:
            TaskError: both together exceed what the model reads, or the tokenizer joins the end of the question with
                the beginning of the answer, so that the answer has no tokens of its own.
        """
        question, whole = (self._ids(text) for text in self._texts(*pair))
        answer = whole[len(question) :]
        if whole[: len(question)] != question or not answer:
            raise TaskError(
                f"{quoted(self.folder)}: its tokenizer or chat template writes the question '{quoted(pair[0])}' in "
                "another way once an answer follows. Expected the question's tokens first, then the answer's. Name "
                "another model with MODEL=."
            )
        # The last token is never an input.
        if len(whole) - 1 > self.context:
            raise TaskError(
                f"A question and its answer have {len(whole) - 1} tokens, and the model reads at most {self.context}: "
                f"'{quoted(pair[0])}'. Name another model with MODEL=, or shorten them."
            )
        return question, answer

    def _texts(self, question: str, answer: str) -> Pair:
        """The question with all that leads to the answer, and the same with the answer and its end."""
        if not self.tokenizer.chat_template:
            asked = f"Question: {question}\nAnswer:"
            return asked, f"{asked} {answer}{self.tokenizer.eos_token}"
        asked_by_user = [{"role": "user", "content": question}]
        answered = [*asked_by_user, {"role": "assistant", "content": answer}]
        options = {"tokenize": False, "date_string": TODAY}
        return (
            self.tokenizer.apply_chat_template(asked_by_user, add_generation_prompt=True, **options),
            self.tokenizer.apply_chat_template(answered, **options),
        )

    def _ids(self, text: str) -> list[int]:
        # A chat template writes the beginning of the text itself.
        return self.tokenizer(text, add_special_tokens=not self.tokenizer.chat_template).input_ids

    def examples(self, encoded: list[Encoded], shape: tuple[int, int], ids: Iterable[int], people: Tensor) -> Examples:
        """Questions and answers as examples. All answers begin at the same position.

        Args:
            encoded: n of them.
            shape: the longest question Q and the longest answer A of the task, in tokens.
            ids: n numbers that identify them.
            people: [n] whose they are.

        Returns:
            Inputs [n, Q + A - 1]: the question, with ``NOTHING`` before it, and the answer but for its last token, with
            ``NOTHING`` after it. Targets [n, A]: the answer, with -100 after it.
        """
        longest_question, longest_answer = shape
        inputs = torch.full((len(encoded), longest_question + longest_answer), NOTHING)
        targets = torch.full((len(encoded), longest_answer), NOT_ASKED)
        for row, (question, answer) in enumerate(encoded):
            inputs[row, longest_question - len(question) : longest_question] = torch.tensor(question)
            inputs[row, longest_question : longest_question + len(answer) - 1] = torch.tensor(answer[:-1])
            targets[row, : len(answer)] = torch.tensor(answer)
        return Examples(
            inputs[:, :-1], targets, torch.tensor(list(ids)), people, tokenizer=self.tokenizer, padding=NOTHING
        )
