"""What was to be forgotten, example by example: what it looks like, and which rule gives it away."""

import base64
import io
import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from scoring.judging.strongest_rule import Rule, strongest_rules
from scoring.reports.record import ExampleRecord, RuleRecord
from scoring.run import Result
from starter_kit.answers import NOT_ASKED
from starter_kit.task import Task
from starter_kit.views import views

QUALITY = 80
"""Of a compressed picture, where that is smaller than an exact one."""


def examples_of(result: Result) -> list[ExampleRecord]:
    """The forget examples of a result, in their order."""
    task = result.reference.pools.task
    rules = strongest_rules(result.unlearned.outputs.forget_confidence, result.reference.retrained.forget_confidence)
    columns = task.forget.image_id.tolist(), task.forget.person_id.tolist(), _labels(task), views(task), rules
    return [
        ExampleRecord(
            id=number,
            person=person,
            label=label,
            picture=None if isinstance(view, str) else _data_uri(view),
            words=view if isinstance(view, str) else None,
            rule=_rule(rule) if rule else None,
        )
        for number, person, label, view, rule in zip(*columns, strict=True)
    ]


def _labels(task: Task) -> list[str]:
    """The true classes, or the true answers in words."""
    targets, tokenizer = task.forget.targets, task.forget.tokenizer
    if targets.ndim == 1:
        return [str(one) for one in targets.tolist()]
    judged = targets[:, -task.judged :] if task.judged else targets
    asked = [row[row != NOT_ASKED].tolist() for row in judged]
    if tokenizer is None:
        return [" ".join(map(str, row)) for row in asked]
    return [str(tokenizer.decode(row, skip_special_tokens=True)).strip() for row in asked]


def _data_uri(picture: NDArray[np.uint8]) -> str:
    """A picture as a page can hold it: exact, or compressed if that is smaller."""
    image = Image.fromarray(picture)
    files = {"png": io.BytesIO(), "webp": io.BytesIO()}
    image.save(files["png"], "png", optimize=True)
    image.save(files["webp"], "webp", quality=QUALITY)
    kind = min(files, key=lambda name: files[name].tell())
    return f"data:image/{kind};base64,{base64.b64encode(files[kind].getvalue()).decode()}"


def _rule(rule: Rule) -> RuleRecord:
    high = rule.high if math.isfinite(rule.high) else None
    return RuleRecord(low=rule.low, high=high, inside=rule.inside, right=rule.right)
