"""What a person sees while pools are being made."""

import io
import re
import time
from types import SimpleNamespace

import pytest
from rich.console import Console

from scoring.running.progress import Progress, _Rate, duration


@pytest.mark.parametrize(
    ("speed", "shown"), [(None, ""), (31.23, "31.2 models/s"), (1.0, "1.0 models/s"), (0.08, "12.5 s per model")]
)
def test_slow_models_are_shown_in_seconds(speed, shown):
    assert _Rate().render(SimpleNamespace(speed=speed)).plain == shown


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.416, "0.42 s"), (8.13, "8.1 s"), (47.2, "47 s"), (192, "3 min 12 s"), (3840, "1 h 4 min")],
)
def test_durations_in_words(seconds, words):
    assert duration(seconds) == words


@pytest.mark.parametrize("terminal", [True, False])
def test_a_line_is_left_when_a_pool_is_complete(terminal):
    console = Console(file=io.StringIO(), force_terminal=terminal, width=100, color_system=None)
    progress = Progress(console)
    with progress.pool("mine", models=8, stored=3) as show:
        show(5)
        show(8)
    with progress.pool("original", models=1, stored=1):
        pass
    written = console.file.getvalue()
    assert "mine                              8 models   5 made in" in written
    assert ", 3 found in the store" in written
    assert "original                          1 model    all found in the store" in written
    assert ("8/8" in written) == terminal


def test_the_time_left_is_shown_while_the_first_models_are_being_made():
    console = Console(file=io.StringIO(), force_terminal=True, width=120, color_system=None)
    progress = Progress(console)
    with progress.pool("retrained", models=16, stored=0) as show:
        for made in (0.1, 0.2, 0.3):
            time.sleep(0.3)
            show(made)
    assert re.search(r"0/16 .*s per model 0:00:\d\d", console.file.getvalue())
