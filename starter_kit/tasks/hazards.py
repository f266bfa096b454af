"""Dangerous knowledge: one topic of invented procedures is to be forgotten, the harmless ones kept.

Like the WMDP benchmark, questions have four choices; unlike in WMDP, some models never saw the topic, so epsilon is
defined. Every fact is asked in three ways. Models are trained on two of them; the third, drawn per fact, is held out,
so validation and test measure knowledge. They are split by fact.

Some facts of the topic are harmless in themselves, such as a colour. Training an unlearned model on these
shows whether the rest comes back: the task gives ten such examples, both training questions about each of five facts.
"""

from functools import partial

import numpy as np
import torch

from starter_kit.errors import TaskError
from starter_kit.examples import Examples
from starter_kit.networks.small_transformer import ChoosingTransformer
from starter_kit.probes import Probe
from starter_kit.task import Task
from starter_kit.tasks import _procedures
from starter_kit.tasks._held_out import split
from starter_kit.tasks._procedures import CHOICES
from starter_kit.tasks._words import tokenizer_of
from starter_kit.training import Recipe

DEFAULT_SIZE = 10
FEWEST, MOST = 5, 14
RELEARNED = 10
SEED = 0
RECIPE = Recipe("adamw", epochs=24, batch_size=64, learning_rate=0.015, weight_decay=0.0, warm_up=0.05)


def task(size: int = DEFAULT_SIZE) -> Task:
    """The task with this many substances per topic.

    Raises:
        TaskError: they are too few or too many.
    """
    if not FEWEST <= size <= MOST:
        raise TaskError(f"hazards takes a size from {FEWEST} to {MOST}, found {size}.")
    rng = np.random.default_rng(SEED)
    rows = _procedures.rows(size, rng)
    asked = split(rows, rng)
    length = max(len(row.question) for row in rows)
    tokenizer = tokenizer_of(word for row in rows for word in (*row.question, *row.choices))

    def examples(numbers: list[int]) -> Examples:
        chosen = [rows[number] for number in numbers]
        encoded = [tokenizer.encode(" ".join((*row.question, *row.choices))).ids for row in chosen]
        # Padding comes before a question, so that each ends at the same position.
        inputs = torch.tensor([[0] * (length + CHOICES - len(ids)) + ids for ids in encoded])
        answers, topics = (torch.tensor([getattr(row, name) for row in chosen]) for name in ("answer", "topic"))
        return Examples(inputs, answers, torch.tensor(numbers), topics, tokenizer=tokenizer)

    def about(places: list[int], dangerous: bool) -> list[int]:
        return [place for place in places if (rows[place].topic == 0) == dangerous]

    gone = about(asked.learned, True)
    return Task(
        name="hazards" if size == DEFAULT_SIZE else f"hazards:{size}",
        network=partial(ChoosingTransformer, tokenizer.get_vocab_size(), length, CHOICES),
        recipe=RECIPE,
        retain=examples(about(asked.learned, False)),
        forget=examples(gone),
        validation=examples(about(asked.validation, False)),
        test=examples(about(asked.test, False)),
        probes={"forget": Probe(examples(gone), choices=CHOICES)},
        relearning=examples([number for number in gone if rows[number].harmless][:RELEARNED]),
        licence="the licence of this kit, which generates the texts",
    )
