"""The report of one submission as a page."""

from dataclasses import dataclass

import numpy as np

from scoring.judging.epsilon import EPSILON_CAP
from scoring.judging.outputs import Outputs
from scoring.judging.score import BIN_WIDTH
from scoring.reports.columns import COLUMNS
from scoring.reports.page.drawing import Axis, Overlap, overlap, steps, ticks
from scoring.reports.page.render import render
from scoring.reports.page.words import name_of, rule_in_words, verdict
from scoring.reports.record import Conversation, ExampleRecord, Report

SMALL = (168, 36)
"""Pixels of an example's histogram."""


@dataclass(frozen=True)
class Row:
    """An example with everything that its row shows."""

    example: ExampleRecord
    name: str
    words: str | None
    label: str
    epsilon: float
    unlearned: float
    retrained: float
    chart: Overlap
    rule: str
    said: Conversation | None


def page_of(report: Report, unlearned: Outputs, retrained: Outputs, ceiling: np.ndarray) -> str:
    """The page, made from the record and the outputs.

    Args:
        report: the record.
        unlearned, retrained: the outputs that it was made from.
        ceiling: [splits, F] epsilons of retrained models against each other.
    """
    epsilons = np.array(report.unlearned.epsilon.examples)
    said = {one.example: one for one in report.text.conversations if one.example is not None} if report.text else {}
    rows = [
        _row(report, place, unlearned, retrained, said.get(place)) for place in np.argsort(-epsilons, kind="stable")
    ]
    return render(
        "report.html.jinja",
        report=report,
        verdict=verdict(report),
        rows=rows,
        persons=len({row.example.person for row in rows}) > 1,
        small=SMALL,
        histogram=_histogram(epsilons, ceiling),
        by_models=_by_models(report),
        scale=_scale(report),
        judges=[(name, column) for name, column in COLUMNS.items() if report.judges.get(name) is not None],
    )


def _row(report: Report, place: int, unlearned: Outputs, retrained: Outputs, said: Conversation | None) -> Row:
    example = report.examples[place]
    pools = [pool.forget_confidence[:, place] for pool in (unlearned, retrained)]
    bounds = (example.rule.low, example.rule.high) if example.rule else (None, None)
    return Row(
        example=example,
        name=name_of(example),
        words=said.question if said else example.words,
        label=said.answer if said else example.label,
        epsilon=report.unlearned.epsilon.examples[place],
        unlearned=float(np.median(pools[0])),
        retrained=float(np.median(pools[1])),
        chart=overlap(pools[0], pools[1], bounds, *SMALL),
        rule=rule_in_words(example.rule),
        said=said,
    )


@dataclass(frozen=True)
class Histogram:
    """How many examples have which epsilon, with a bin of its own for infinity."""

    unlearned: str
    ceiling: str
    x: list[tuple[float, str]]
    y: list[tuple[float, str]]
    jump: float


def _histogram(epsilons: np.ndarray, ceiling: np.ndarray) -> Histogram:
    """In a box of 640 by 202 pixels."""
    finite = [one[one < EPSILON_CAP] for one in (epsilons, ceiling.ravel())]
    last = max(float(one.max(initial=0)) for one in finite)
    edges = np.arange(0, last + 2 * BIN_WIDTH, BIN_WIDTH)
    counts = [
        np.append(np.histogram(one, edges)[0], np.sum(whole >= EPSILON_CAP)) / weight
        for one, whole, weight in ((finite[0], epsilons, 1), (finite[1], ceiling.ravel(), len(ceiling)))
    ]
    # A gap sets off infinity from the largest finite bin.
    x = Axis(0, float(edges[-1]) + 2 * BIN_WIDTH, 46, 630)
    y = Axis(0, float(max(one.max() for one in counts)), 180, 10)
    pixels = [x.at(float(edge)) for edge in edges]
    infinite = [x.at(float(edges[-1]) + BIN_WIDTH), x.at(float(edges[-1]) + 2 * BIN_WIDTH)]
    paths = [steps(one[:-1], pixels, 180, y) + steps(one[-1:], infinite, 180, y) for one in counts]
    marks = [(x.at(tick), f"{tick:g}") for tick in ticks(0, float(edges[-1]), 8)]
    return Histogram(
        unlearned=paths[0],
        ceiling=paths[1],
        x=[*marks, (sum(infinite) / 2, "∞")],
        y=[(y.at(tick), f"{tick:g}") for tick in ticks(0, y.high, 4)],
        jump=(pixels[-1] + infinite[0]) / 2,
    )


@dataclass(frozen=True)
class ByModels:
    """The score of fewer models: a band, a line, and the score itself with its interval."""

    band: str
    line: str
    points: list[tuple[float, float]]
    score: tuple[float, float]
    interval: tuple[float, float] | None
    x: list[tuple[float, str]]
    y: list[tuple[float, str]]


def _by_models(report: Report) -> ByModels | None:
    """In a box of 420 by 216 pixels. A single look makes no line."""
    looks = report.by_models
    if len(looks) < 2:
        return None
    value = report.unlearned.score.value
    highest = max([*(look.band[1] for look in looks), report.interval[1] if report.interval else value])
    x = Axis(float(np.log2(looks[0].models)), float(np.log2(report.run.models)), 60, 400)
    y = Axis(0, highest * 1.05 or 1.0, 180, 10)
    places = [x.at(float(np.log2(look.models))) for look in looks]
    upper = [f"{place:g},{y.at(look.band[1]):g}" for place, look in zip(places, looks, strict=True)]
    lower = [f"{place:g},{y.at(look.band[0]):g}" for place, look in zip(places, looks, strict=True)]
    points = [(place, y.at(look.score)) for place, look in zip(places, looks, strict=True)]
    return ByModels(
        band=" ".join([*upper, *lower[::-1]]),
        line=" ".join(f"{left:g},{top:g}" for left, top in points),
        points=points,
        score=(x.at(float(np.log2(report.run.models))), y.at(value)),
        interval=(y.at(report.interval[0]), y.at(report.interval[1])) if report.interval else None,
        x=[(place, str(look.models)) for place, look in zip(places, looks, strict=True)]
        + [(400, str(report.run.models))],
        y=[(y.at(tick), f"{tick:g}") for tick in ticks(0, y.high, 4)],
    )


@dataclass(frozen=True)
class Scale:
    """The score between floor and ceiling."""

    score: float
    interval: tuple[float, float] | None
    floor: float
    ceiling: float
    band: tuple[float, float]
    x: list[tuple[float, str]]


def _scale(report: Report) -> Scale:
    """In a box of 640 by 52 pixels."""
    ceiling, value = report.ceiling, report.unlearned.score.value
    highest = max(ceiling.band[1], report.interval[1] if report.interval else value)
    x = Axis(0, highest * 1.05 or 1.0, 10, 630)
    return Scale(
        score=x.at(value),
        interval=(x.at(report.interval[0]), x.at(report.interval[1])) if report.interval else None,
        floor=x.at(report.floor.score.value),
        ceiling=x.at(ceiling.value),
        band=(x.at(ceiling.band[0]), x.at(ceiling.band[1])),
        x=[(x.at(tick), f"{tick:g}") for tick in ticks(0, x.high, 6)],
    )
