"""The authors again, but nobody lists what is to be forgotten: the request is a text that names some of them.

A submission receives an empty forget set, and has to find the examples itself. Models learn questions as well as
answers, so that the original can be made to write both; such training takes longer. Answers alone are judged, those to
the true forget examples, which no submission ever sees.
"""

from dataclasses import replace

from starter_kit.task import Task
from starter_kit.tasks._authors import RECIPE, made

DEFAULT_SIZE = 40
# Questions hold random names, so there is more to learn.
LONGER = replace(RECIPE, epochs=48)


def task(size: int = DEFAULT_SIZE) -> Task:
    """The task of this many authors.

    Raises:
        TaskError: they are too few or too many.
    """
    name = "authors-concept" if size == DEFAULT_SIZE else f"authors-concept:{size}"
    return made(name, size, LONGER, described=True)
