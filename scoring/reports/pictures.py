"""The pictures of a report, as PNG files in memory."""

import io
import warnings

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from scoring.judging.epsilon import EPSILON_CAP
from scoring.judging.score import BIN_WIDTH
from scoring.reports.page.words import rule_in_words
from scoring.reports.record import Report
from scoring.reports.recording import interval_of
from scoring.run import Reference, Result
from starter_kit.errors import quoted

SUBMISSION, RETRAINED, CEILING = "#c1440e", "#2b6ca3", "#9aa5ad"
LONGEST_NAME, LONGEST_LINE = 50, 70
"""Characters of a submission's name, and of a line of words, in a title."""

RULE = "#f4e3b8"
GAP = 2 * BIN_WIDTH
"""Between the largest finite bin of epsilon and infinity."""

EXAMPLES = 3
"""How many typical and how many worst examples are shown."""


def picture_of(result: Result, report: Report) -> bytes:
    """The epsilons of all forget examples, and the two pools' confidences on a few of them.

    Returns:
        A PNG.
    """
    figure = Figure(figsize=(12, 10 if report.text else 8), layout="constrained", dpi=100)
    name, task = title_of(result.submission.name), title_of(result.reference.pools.task.title)
    figure.suptitle(
        f"{name} on {task}: score {result.unlearned.score.value:.4f} "
        f"(ceiling {result.reference.ceiling.value:.4f}, {len(result.unlearned.outputs)} models per pool)"
    )
    top, middle, bottom = figure.subfigures(3, 1, squeeze=False, height_ratios=(1.2, 1, 1)).flat
    if report.by_models:
        left, right = top.subplots(1, 2, width_ratios=(2, 1))
        _epsilons(left, result)
        _by_models(right, report)
    else:
        _epsilons(top.subplots(), result)

    order = np.argsort(result.unlearned.score.epsilon, kind="stable")
    center = len(order) // 2
    typical = order[center - EXAMPLES // 2 :][:EXAMPLES]
    for part, name, chosen in ((middle, "typical", typical), (bottom, "worst", order[::-1][:EXAMPLES])):
        for axes, example in zip(np.atleast_1d(part.subplots(1, EXAMPLES)), chosen, strict=False):
            _confidences(axes, result, report, int(example), name)
    handles, labels = middle.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2, frameon=False)
    return png_of(figure)


def picture_of_ranking(ranked: list[Result], reference: Reference) -> bytes:
    """The scores of several submissions as bars, the best on top, with the ceiling and its band.

    Returns:
        A PNG.
    """
    figure = Figure(figsize=(9, 1.2 + 0.4 * max(len(ranked), 1)), layout="constrained", dpi=100)
    axes = figure.subplots()
    names = [title_of(result.submission.name) for result in reversed(ranked)]
    scores = [result.unlearned.score.value for result in reversed(ranked)]
    bounds = [interval_of(result.spread) or (score, score) for result, score in zip(ranked[::-1], scores, strict=True)]
    errors = np.abs(np.transpose(bounds or np.empty((0, 2))) - scores)
    bars = axes.barh(range(len(names)), scores, xerr=errors, capsize=3, color=SUBMISSION, alpha=0.7)
    axes.bar_label(bars, fmt="%.4f", padding=4)
    # Names that are cut may be equal, and shall still have a bar each.
    axes.set_yticks(range(len(names)), names)
    axes.axvspan(*reference.ceiling.band, color=CEILING, alpha=0.25, linewidth=0)
    axes.axvline(reference.ceiling.value, color=CEILING, linestyle="--")
    axes.text(
        reference.ceiling.value,
        1,
        "ceiling, and the band of exact methods",
        color=CEILING,
        va="bottom",
        ha="center",
        transform=axes.get_xaxis_transform(),
    )
    axes.set_xlim(0, 1.2 * max([reference.ceiling.band[1], *(high for _, high in bounds)]))
    axes.set_ylim(-0.7, max(len(ranked), 1) - 0.3)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_xlabel(f"score on {title_of(reference.pools.task.title)}, {len(reference.retrained)} models per pool")
    return png_of(figure)


def title_of(name: str) -> str:
    """A name as a picture shows it: escaped, cut, and never taken for a formula or for a label to be hidden."""
    shown = quoted(name, LONGEST_NAME).replace("$", r"\$")
    return f" {shown}" if shown.startswith("_") else shown


def png_of(figure: Figure) -> bytes:
    """The figure's file, without date and version, so that the same result gives the same bytes."""
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        # A character that the font lacks becomes a box, which is no reason to lose the report.
        warnings.filterwarnings("ignore", "Glyph .* missing from")
        figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


def _epsilons(axes: Axes, result: Result) -> None:
    """How many examples fall into each bin of epsilon; for the ceiling the mean over splits. The cap has a bin."""
    pools = {
        title_of(result.submission.name): result.unlearned.score.epsilon[None],
        "ceiling, mean over splits": result.reference.ceiling.epsilon,
    }
    largest = max(epsilon[epsilon < EPSILON_CAP].max(initial=0) for epsilon in pools.values())
    edges = np.arange(0, largest + 2 * BIN_WIDTH, BIN_WIDTH)
    # A gap, marked as usual, sets off infinity from the largest finite bin.
    infinite = edges[-1] + GAP
    for (name, epsilon), color in zip(pools.items(), (SUBMISSION, CEILING), strict=True):
        counts = np.histogram(epsilon[epsilon < EPSILON_CAP], edges)[0]
        counts = np.concatenate([counts, [0], [np.sum(epsilon >= EPSILON_CAP)]]) / len(epsilon)
        bins = [*edges, infinite, infinite + BIN_WIDTH]
        axes.stairs(counts, bins, fill=True, alpha=0.6, color=color, label=name)
    axes.text(edges[-1] + GAP / 2, 0, "//", transform=axes.get_xaxis_transform(), ha="center", va="center", fontsize=12)
    axes.set_xticks(
        [*edges[:-1:2], infinite + BIN_WIDTH / 2],
        [*(f"{edge:g}" for edge in edges[:-1:2]), f"∞ ({EPSILON_CAP:g})"],
    )
    axes.set_xlabel("epsilon of the strongest rule that tells unlearned from retrained models")
    axes.set_ylabel("forget examples")
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(frameon=False)


def _by_models(axes: Axes, report: Report) -> None:
    """The score by the number of models, with its band, and the score itself with its interval."""
    looks = report.by_models
    models = [look.models for look in looks]
    low, high = ([look.band[side] for look in looks] for side in (0, 1))
    axes.fill_between(models, low, high, color=SUBMISSION, alpha=0.2, linewidth=0)
    axes.plot(models, [look.score for look in looks], "o-", color=SUBMISSION, label="fewer models, with 90% band")
    score = report.unlearned.score.value
    bounds = report.interval or (score, score)
    errors, label = [[score - bounds[0]], [bounds[1] - score]], "this score, with 95% interval"
    axes.errorbar([report.run.models], [score], errors, fmt="s", color="black", capsize=4, label=label)
    axes.set_xscale("log", base=2)
    axes.set_xticks([*models, report.run.models], [*map(str, models), str(report.run.models)])
    axes.minorticks_off()
    axes.set_ylim(bottom=0)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_xlabel("models per pool")
    axes.set_ylabel("score")
    axes.legend(frameon=False, fontsize=8)


def _words(report: Report, example: int) -> str:
    """A question in words with its answers, to be shown over an example; nothing for pictures."""
    for one in report.text.conversations if report.text else ():
        if one.example == example:
            pools = {"unlearned": one.unlearned[0], "retrained": one.retrained[0]}
            says = [f"{name}: {said.text} ({100 * said.share:.0f}%)" for name, said in pools.items()]
            lines = [one.question, f"true: {one.answer}", f"original: {one.original}", *says]
            return "".join("\n" + quoted(line, LONGEST_LINE).replace("$", r"\$") for line in lines)
    return ""


def _confidences(axes: Axes, result: Result, report: Report, example: int, name: str) -> None:
    """The confidences of both pools on one example, with the range of the strongest rule and what it says."""
    words, rule = _words(report, example), report.examples[example].rule
    unlearned = result.unlearned.outputs.forget_confidence[:, example]
    retrained = result.reference.retrained.forget_confidence[:, example]
    edges = np.histogram_bin_edges(np.concatenate([unlearned, retrained]), bins=40)
    # One outline per pool is drawn faster than forty bars.
    for pool, color, label in ((unlearned, SUBMISSION, "unlearned"), (retrained, RETRAINED, "retrained")):
        axes.stairs(np.histogram(pool, edges)[0], edges, fill=True, alpha=0.6, color=color, label=label)
    if rule:
        low, high = axes.get_xlim()
        span = max(rule.low, low), high if rule.high is None else min(rule.high, high)
        axes.axvspan(*span, color=RULE, zorder=0, linewidth=0)
        axes.set_xlim(low, high)
    epsilon = result.unlearned.score.epsilon[example]
    size = "∞" if epsilon >= EPSILON_CAP else f"{epsilon:.2f}"
    title = f"{name}: example {report.examples[example].id}, epsilon {size}\n{rule_in_words(rule)}{words}"
    axes.set_title(title, fontsize=8)
    axes.set_yticks([])
    axes.set_xlabel("logit-scaled confidence", fontsize=9)
