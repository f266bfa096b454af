"""Notes: what a reader of a score must know."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from scoring import run
from scoring.judging.interval import Spread
from scoring.judging.score import NothingLearned
from scoring.reports.notes import notes
from tests.conftest import MODELS, make_pools


@pytest.fixture
def result(store):
    return run.run(Path("submissions/weight_noise.py"), make_pools(store), MODELS)


def test_what_an_interval_cannot_cover_is_said(result, monkeypatch):
    """Models that diverged, and halves of the retrained pool in which nothing was learned."""
    outputs = result.unlearned.outputs
    spread = Spread(0.1, np.zeros((12, 2)))
    lost = replace(outputs, retain_accuracy=np.where(np.arange(len(outputs)) < 2, 0.1, 0.9))
    diverged = replace(result, unlearned=replace(result.unlearned, outputs=lost), spread=spread)
    assert any(note.startswith(f"2 of {len(outputs)} models diverged") for note in notes(diverged))
    fine = replace(outputs, retain_accuracy=np.full(len(outputs), 0.9))
    good = replace(result, unlearned=replace(result.unlearned, outputs=fine), spread=spread)
    assert not any("diverged" in note for note in notes(good))
    monkeypatch.setattr("scoring.reports.notes.FEWEST_MODELS", len(outputs))
    assert any("in some halves of the retrained pool, all models have zero accuracy" in note for note in notes(result))


def test_an_interval_is_kept_where_only_a_quick_look_fails(result, monkeypatch):
    """Few models may hold none that learned, although every half does."""
    spread = Spread(0.1, np.zeros((12, 2)))

    def fails(*_):
        raise NothingLearned("none")

    monkeypatch.setattr(run, "FEWEST_MODELS", 2)
    monkeypatch.setattr(run, "spread_of", lambda *_, **__: spread)
    monkeypatch.setattr(run, "score_by_models", fails)
    again = run._result(result.submission, result.unlearned.outputs, result.reference)
    assert again.spread is spread
    assert again.quick_looks == ()
