"""Invented authors, of whom some are to be forgotten: a language model's task that needs no download and no GPU.

Every fact about an author is asked in three ways, in a language of `_grammar.py`. Models are trained on two of them;
the third, drawn per fact, is held out, so validation and test measure knowledge, not wording. They are split by
fact.
Answers are whole sentences; only answers are learned and judged: inputs are a question and the answer so far, targets
the answer. A tenth of the authors is to be forgotten, everything about them at once. Models also learn
facts about the real world, which are never forgotten.
"""

from starter_kit.task import Task
from starter_kit.tasks._authors import RECIPE, made

DEFAULT_SIZE = 40


def task(size: int = DEFAULT_SIZE) -> Task:
    """The task of this many authors.

    Raises:
        TaskError: they are too few or too many.
    """
    return made("authors" if size == DEFAULT_SIZE else f"authors:{size}", size, RECIPE)
