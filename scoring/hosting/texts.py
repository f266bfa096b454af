"""The words of a competition: its pages, and the steps that are left to the organiser."""

from functools import cache
from typing import Literal

import jinja2
from torch import Tensor

from scoring.hosting.plan import Competition, network_of
from scoring.judging.score import DELTA
from scoring.judging.time import BUDGET

PAGES = {"Overview": "overview.md", "Data": "data.md", "Evaluation": "evaluation.md", "Rules": "rules.md"}
"""The pages of a competition by their titles, in the order in which they are shown."""


Kind = Literal["codabench", "kaggle"]
"""Where a competition takes place."""


def page(name: str, competition: Competition, kind: Kind, **values: object) -> str:
    """A text of the folder ``pages``, filled in."""
    text = (
        _templates()
        .get_template(f"{name}.jinja")
        .render(
            competition=competition,
            kind=kind,
            settings=competition.settings,
            task=competition.task,
            card=competition.bank.card,
            ceiling=competition.bank.ceiling,
            network=network_of(competition.task),
            shape=_shape(competition.task.forget.inputs),
            budget=f"{100 * BUDGET:.0f}%",
            delta=DELTA,
            **values,
        )
    )
    return text.rstrip() + "\n"


def _shape(inputs: Tensor) -> str:
    """Shape and type of a set's inputs in words."""
    return f"`[{', '.join(['N', *map(str, inputs.shape[1:])])}]` of type {str(inputs.dtype).removeprefix('torch.')}"


@cache
def _templates() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.PackageLoader("scoring.hosting", "pages"),
        autoescape=False,  # The texts are Markdown, and nothing in them is a stranger's.
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
