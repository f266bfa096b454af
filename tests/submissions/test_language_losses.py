"""The losses of methods for language models, against values worked by hand."""

import runpy
from pathlib import Path

import pytest
import torch

SUBMISSIONS = Path(__file__).parents[2] / "submissions"


def loss_of(name, **constants):
    """A method's preference loss, with these constants."""
    function = runpy.run_path(str(SUBMISSIONS / f"{name}.py"))["preference_loss"]
    function.__globals__.update(constants)
    return lambda *losses: float(function(*(torch.tensor([float(loss)], dtype=torch.float64) for loss in losses)))


def test_npo():
    loss = loss_of("npo", BETA=0.1)
    assert loss(12, 4) == pytest.approx(7.42201331896, rel=1e-9)
    assert loss(4, 4) == pytest.approx(13.8629436112, rel=1e-9)


@pytest.mark.parametrize(("margin", "worked"), [(0.0, 5.48454177e-5), (1.0, 4.91010882e-3)])
def test_simnpo(margin, worked):
    loss = loss_of("simnpo", BETA=4.5, MARGIN=margin)
    assert loss(12, 6) == pytest.approx(worked, rel=1e-6)


def test_dpo():
    loss = loss_of("dpo_dont_know", BETA=0.1)
    # The wanted answer's loss fell from 9 to 5, the other's rose from 4 to 12.
    assert loss(5, 12, 9, 4) == pytest.approx(5.26564934676, rel=1e-9)
