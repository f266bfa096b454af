"""The picture of a competition: how confident one model and those that never saw the forget set are."""

import io

import numpy as np
from matplotlib.figure import Figure

from scoring.jobs.original import Original
from scoring.judging.outputs import Outputs

SIDE = 4.0
"""Inches, at 100 pixels each."""


def logo(retrained: Outputs, original: Original) -> bytes:
    """A PNG with the mean confidences of the forget examples: of the original model, and of retrained ones."""
    knows, never_knew = original.answers["forget_confidence"].ravel(), retrained.forget_confidence.mean(axis=0)
    low, high = np.percentile(np.concatenate([knows, never_knew]), [1, 99])
    figure = Figure(figsize=(SIDE, SIDE), dpi=100)
    axes = figure.add_axes((0.08, 0.12, 0.84, 0.8))
    bins = np.linspace(low, high, 20)
    for values, colour in ((knows, "#b5482a"), (never_knew, "#7a8793")):
        axes.hist(np.clip(values, low, high), bins.tolist(), color=colour, alpha=0.75)
    axes.set_yticks([])
    axes.set_xticks([])
    axes.spines[["top", "left", "right"]].set_visible(False)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()
