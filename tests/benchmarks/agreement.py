"""How far judges agree: rank correlations over the methods of a comparison, written into a page.

A page asks for the table with a comment, and everything up to the closing comment is written again::

    <!-- agreement task=digits models=512 seeds=0,1,2 -->
    <!-- end -->
"""

import re
from collections.abc import Mapping
from itertools import permutations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata, spearmanr

from scoring.reports.columns import COLUMNS, Figures
from scoring.reports.tuning import SUFFIX
from tests.benchmarks.ranking import REFERENCE, Row, Source

MARK = re.compile(r"(<!-- agreement task=(\S+) models=(\d+) seeds=(\d+(?:,\d+)*) -->\n).*?(<!-- end -->)", re.DOTALL)

JUDGES = ("score", "forget", "attack", "population", "u_lira", "klom")
"""The score, and the columns that judge forgetting. For all but the score, the nearer to what perfect forgetting gives,
the better."""

BEST = {"u_lira": 0.5, "klom": 0.0}
"""What perfect forgetting would give, where that is known. Elsewhere it is what retrained models give."""

FEWEST_ROWS = 3

PRIZES = (
    "uniform_then_contrastive",
    "reinitialize_similar_gradients",
    "noise_class_weighted",
    "prune_refill_entropy",
    "transpose_kernels",
    "reset_ends_distill",
    "noisy_random_layers",
    "reset_layers_distill",
)
"""The competition's winners in the order of their prizes. The fifth made half of its models by `pseudo_labels`."""

MOST = 3
"""How many methods are named of those on which a judge disagrees most with the score, either way."""


def filled(page: str, source: Source) -> str:
    """The page with all its tables written again, from the comparisons that ``source`` gives."""

    def written(match: re.Match[str]) -> str:
        begin, task, models, seeds, end = match.groups()
        rows = source(task, [int(seed) for seed in seeds.split(",")], int(models)).rows
        ceiling = rows["ceiling"].figures
        names = [name for name, row in rows.items() if name not in REFERENCE and row.complete]
        worse = {judge: _worse(judge, [rows[name].figures for name in names], ceiling) for judge in JUDGES}
        # A judge that lacks a figure, or gives the same to all, ranks nothing.
        known = {judge: values for judge, values in worse.items() if np.ptp(values) > 0}
        table = _table(known, names) if len(names) >= FEWEST_ROWS else "Too few submissions for a rank correlation."
        return f"{begin}\n{table}\n\n{_prizes(rows, len(names))}\n\n{end}"

    return MARK.sub(written, page)


def _worse(judge: str, rows: list[Figures], ceiling: Figures) -> NDArray[np.float64]:
    """How bad each row is to a judge, 0 for the best; NaN where it did not judge."""
    values = np.array([row.get(judge) for row in rows], np.float64)
    if judge == "score":
        return values.max() - values
    return np.abs(values - np.array(BEST.get(judge, ceiling.get(judge)), np.float64))


def _table(worse: dict[str, NDArray[np.float64]], names: list[str]) -> str:
    """Spearman's rank correlations between the judges, and on which methods each disagrees most with the score."""
    heading = ["", *(_title(judge) for judge in worse), "ranks higher than the score does", "ranks lower"]
    lines = [heading]
    for judge, values in worse.items():
        correlations = [f"{spearmanr(values, others).statistic:.2f}" for others in worse.values()]
        higher = rankdata(worse["score"]) - rankdata(values)
        named = [
            [names[place] for place in np.argsort(-by, kind="stable")[:MOST] if by[place] > 0]
            for by in (higher, -higher)
        ]
        lines.append([_title(judge), *correlations, *map(", ".join, named)])
    written = [f"| {' | '.join(line)} |" for line in lines]
    rule = "|---|" + "--:|" * len(worse) + "---|---|"
    return "\n".join([written[0], rule, *written[1:]])


def _title(judge: str) -> str:
    """What a table calls a judge."""
    return COLUMNS[judge].heading if judge in COLUMNS else judge


def _prizes(rows: Mapping[str, Row], compared: int) -> str:
    """How far the order of the competition's winners by score agrees with their final order."""
    found = []
    for kind, suffix in (("published", ""), ("tuned", SUFFIX)):
        winners = [rows[f"{name}{suffix}"] for name in PRIZES if f"{name}{suffix}" in rows]
        if len(winners) == len(PRIZES):
            complete = all(row.complete for row in winners)
            scores = [row.score if complete else row.scores[0] or 0.0 for row in winners]
            on = "" if complete else " on the first seed"
            found.append(_with_order([-score for score in scores], f"{kind} constants{on}"))
    return (
        f"Spearman's rank correlations over {compared} rows. Between the order of the eight winners by score and "
        f"their final order: {', '.join(found) or 'unknown, because not all of them were compared'}."
    )


def _with_order(worse: list[float], said: str) -> str:
    """The correlation of these values with their own order, and how often a random order would have one as strong."""
    ranks, order = rankdata(worse), np.arange(len(worse))
    every = np.array(list(permutations(order))) @ ranks
    # The mean product is that of no correlation; a tolerance, because ranks that are tied are halves.
    strength = np.abs(every - every.mean())
    share = np.mean(strength >= strength[0] - 1e-9)
    return f"{spearmanr(worse, order).statistic:+.2f} with {said} (p = {share:.2f})"
