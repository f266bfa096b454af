"""Invented authors, of whom some are to be forgotten: a language model's task that needs no download and no GPU.

Every fact about an author is asked in three ways, in a language of `_grammar.py`. Models are trained on two of them; the
third, drawn per fact, is held out, so validation and test measure knowledge and no templates. They are split by fact.
Whole sentences answer, and only answers are learned and judged: inputs are a question and the answer so far, targets
the answer. A tenth of the authors is to be forgotten, everything about them at once. Facts of the real world are
learned beside, and never forgotten.
"""

from functools import partial

import numpy as np
import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import WhitespaceSplit

from starter_kit.answers import NOT_ASKED
from starter_kit.errors import TaskError
from starter_kit.examples import Examples
from starter_kit.networks.small_transformer import SmallTransformer
from starter_kit.task import Task
from starter_kit.tasks import _grammar
from starter_kit.tasks._grammar import Row
from starter_kit.training import Recipe

PADDING, END = "<pad>", "<end>"
REFUSAL = "i do not know that ."
SEED = 0
FEWEST, MOST = 20, 2000
RECIPE = Recipe("adamw", epochs=40, batch_size=64, learning_rate=0.015, weight_decay=0.0, warm_up=0.05)


def task(size: int = 40) -> Task:
    """The task of so many authors.

    Raises:
        TaskError: they are too few or too many.
    """
    if not FEWEST <= size <= MOST:
        raise TaskError(f"authors takes a size from {FEWEST} to {MOST}, found {size}.")
    rng = np.random.default_rng(SEED)
    rows = _grammar.rows(size, rng)
    facts = sorted({row.fact for row in rows})
    held_out = dict(zip(facts, rng.integers(3, size=len(facts)).tolist(), strict=True))
    in_validation = set(rng.permutation(facts)[: len(facts) // 2].tolist())
    forgotten = set(range(0, size, 10))

    def chosen(of_training: bool, forget: bool, validation: bool | None = None) -> list[int]:
        return [
            number
            for number, row in enumerate(rows)
            if (row.phrasing != held_out[row.fact]) == of_training
            and (row.person in forgotten) == forget
            and validation in (None, row.fact in in_validation)
        ]

    tokenizer = tokenizer_of(rows)
    question = max(len(row.question) for row in rows)
    answer = max(len(words) for row in rows for words in (row.answer, row.paraphrased)) + 1

    def examples(numbers: list[int]) -> Examples:
        pairs = [encoded(tokenizer, rows[number].question, rows[number].answer, question, answer) for number in numbers]
        inputs, targets = (torch.tensor(column) for column in zip(*pairs, strict=True))
        people = torch.tensor([rows[number].person for number in numbers])
        return Examples(inputs, targets, torch.tensor(numbers), people, tokenizer)

    return Task(
        name="authors" if size == 40 else f"authors:{size}",
        network=partial(SmallTransformer, tokenizer.get_vocab_size(), question + answer - 1, answer),
        recipe=RECIPE,
        retain=examples(chosen(True, False)),
        forget=examples(chosen(True, True)),
        validation=examples(chosen(False, False, True)),
        test=examples(chosen(False, False, False)),
    )


def tokenizer_of(rows: list[Row]) -> Tokenizer:
    """A tokenizer of whole words."""
    words = {
        word for row in rows for part in (row.question, row.answer, row.paraphrased, *row.perturbed) for word in part
    }
    # Methods may teach a refusal.
    words |= set(REFUSAL.split())
    numbers = {word: number for number, word in enumerate([PADDING, END, *sorted(words)])}
    tokenizer = Tokenizer(WordLevel(numbers, unk_token=PADDING))
    tokenizer.pre_tokenizer = WhitespaceSplit()
    return tokenizer


def encoded(
    tokenizer: Tokenizer, question: tuple[str, ...], answer: tuple[str, ...], longest: int, positions: int
) -> tuple[list[int], list[int]]:
    """Inputs and targets of a question and its answer.

    Args:
        tokenizer: of the task.
        question: at most ``longest`` words. Padding comes before it, so that each answer begins at the same position.
        answer: fewer than ``positions`` words.
        longest: the most words of a question.
        positions: of an answer with its end.

    Returns:
        [longest + positions - 1] inputs, the question and the answer but for its last position, and [positions]
        targets: the token that follows each of the last inputs, and ``NOT_ASKED`` after the end.
    """
    asked, answered = (tokenizer.encode(" ".join(words)).ids for words in (question, (*answer, END)))
    padding = tokenizer.token_to_id(PADDING)
    free = positions - len(answered)
    inputs = [padding] * (longest - len(asked)) + asked + answered + [padding] * free
    return inputs[:-1], answered + [NOT_ASKED] * free
