"""Charts as paths."""

import numpy as np
import pytest

from scoring.reports.page.drawing import overlap, ticks


@pytest.mark.parametrize("width", [0.0, 4e-15, 1e-9, 1.0, 1e12])
def test_confidences_however_close_make_a_chart(width):
    unlearned, retrained = 20.0 + width * np.linspace(0, 1, 8), np.full(8, 20.0)
    chart = overlap(unlearned, retrained, (20.0, None), 100, 30)
    for path in (chart.unlearned, chart.retrained):
        assert path.startswith("M")
        assert "nan" not in path
    assert 0 <= chart.low <= 100
    assert chart.high is None
    assert chart.left == 20.0


def test_ticks_are_round_and_within():
    assert ticks(0, 0.21) == [0, 0.05, 0.1, 0.15, 0.2]
    assert ticks(3, 3) == [3]
