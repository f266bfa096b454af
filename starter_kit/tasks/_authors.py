"""What both tasks of invented authors share: rows of text as examples, and the task that they make."""

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import torch

from starter_kit.answers import NOT_ASKED
from starter_kit.errors import TaskError
from starter_kit.examples import Examples
from starter_kit.networks.small_transformer import SmallTransformer
from starter_kit.probes import Probe
from starter_kit.task import Task
from starter_kit.tasks import _grammar
from starter_kit.tasks._grammar import Row
from starter_kit.tasks._held_out import split
from starter_kit.tasks._words import END, tokenizer_of
from starter_kit.training import Recipe

_REFUSAL = {"i", "do", "not", "know", "that"}
"""Words that methods may teach."""

SEED = 0
FEWEST, MOST = 20, 2000
RECIPE = Recipe("adamw", epochs=26, batch_size=64, learning_rate=0.015, weight_decay=0.0, warm_up=0.05)

Words = tuple[str, ...]


def made(name: str, size: int, recipe: Recipe, described: bool = False) -> Task:
    """The task of so many authors.

    Args:
        name: of the task.
        size: how many authors.
        recipe: how models are trained.
        described: whether what is to be forgotten is only described. Then questions are learned too, without being
            judged.

    Raises:
        TaskError: they are too few or too many.
    """
    if not FEWEST <= size <= MOST:
        raise TaskError(f"{name.partition(':')[0]} takes a size from {FEWEST} to {MOST}, found {size}.")
    rng = np.random.default_rng(SEED)
    rows = _grammar.rows(size, rng)
    asked = split(rows, rng)
    forgotten = set(range(0, size, 10))

    def about(places: list[int], forget: bool) -> list[int]:
        return [place for place in places if (rows[place].person in forgotten) == forget]

    text = _Text(rows, described)

    def examples(numbers: list[int]) -> Examples:
        return text.examples(numbers, lambda row: [row.answer])

    def probe(numbers: list[int]) -> Probe:
        return Probe(
            examples(numbers),
            text.examples(numbers, lambda row: [row.paraphrased]),
            text.examples(numbers, lambda row: row.perturbed),
        )

    kept, gone = (about(asked.learned, forget) for forget in (False, True))
    one_per_fact = list({rows[number].fact: number for number in reversed(kept)}.values())[::-1]
    world = [number for number in one_per_fact if rows[number].person < 0]
    names = dict.fromkeys(rows[number].name for number in gone)
    return Task(
        name=name,
        network=partial(SmallTransformer, text.words, text.length, None if described else text.answer),
        recipe=recipe,
        retain=examples(kept),
        forget=examples(gone),
        validation=examples(about(asked.validation, False)),
        test=examples(about(asked.test, False)),
        request=f"Forget everything about {' , '.join(names)} ." if described else "",
        described=_as_text([rows[number] for number in gone], paraphrased=False),
        truths=_as_text([row for row in rows if row.person in forgotten], paraphrased=True),
        judged=text.answer if described else None,
        # About as many of the retained facts as there are forget examples.
        probes={
            "forget": probe(gone),
            "retain": probe([number for number in one_per_fact if rows[number].person >= 0][::4]),
            "world": probe(world),
        },
        licence="the licence of this kit, which generates the texts",
    )


def _as_text(rows: list[Row], paraphrased: bool) -> frozenset[tuple[str, str]]:
    """Questions and answers as text; the answers in other words too if ``paraphrased``."""
    return frozenset(
        (" ".join(row.question), " ".join(answer))
        for row in rows
        for answer in ((row.answer, row.paraphrased) if paraphrased else (row.answer,))
    )


class _Text:
    """Rows as tokens. Each answer begins at the same position: padding comes before a question, and after an answer."""

    def __init__(self, rows: list[Row], questions: bool) -> None:
        self.rows, self.questions = rows, questions
        parts = ((row.question, row.answer, row.paraphrased, *row.perturbed) for row in rows)
        self.tokenizer = tokenizer_of({word for part in parts for words in part for word in words} | _REFUSAL)
        # A question that is learned needs a token to begin from.
        self.question = max(len(row.question) for row in rows) + questions
        self.answer = max(len(words) for row in rows for words in (row.answer, row.paraphrased)) + 1
        self.length = self.question + self.answer - 1
        self.words = self.tokenizer.get_vocab_size()

    def examples(self, numbers: list[int], answers: Callable[[Row], Sequence[Words]]) -> Examples:
        """The questions with these numbers, each with its answers in turn."""
        pairs = [(number, answer) for number in numbers for answer in answers(self.rows[number])]
        encoded = [self._encoded(self.rows[number].question, answer) for number, answer in pairs]
        inputs, targets = (torch.tensor(column) for column in zip(*encoded, strict=True))
        people = torch.tensor([self.rows[number].person for number, _ in pairs])
        ids = torch.tensor([number for number, _ in pairs])
        return Examples(inputs, targets, ids, people, tokenizer=self.tokenizer)

    def _encoded(self, question: Words, answer: Words) -> tuple[list[int], list[int]]:
        """Inputs, the question and the answer but for its last position, and targets: the token after each.

        There are targets for the answer's positions alone, or for all; ``NOT_ASKED`` after the end and before the
        question.
        """
        asked, answered = (self.tokenizer.encode(" ".join(words)).ids for words in (question, (*answer, END)))
        before, after = self.question - len(asked), self.answer - len(answered)
        inputs = [0] * before + asked + answered + [0] * after
        targets = answered + [NOT_ASKED] * after
        if self.questions:
            targets = [NOT_ASKED] * (before - 1) + asked + targets
        return inputs[:-1], targets
