"""What a person sees while pools are being made."""

import io
import re
import time

import pytest
from rich.console import Console

from scoring.running import progress as module
from scoring.running.progress import Progress, Stage, duration, plan_of


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
    assert ", 3 already stored" in written
    assert "original                          1 model    all stored" in written
    assert ("8/8" in written) == terminal


def test_the_time_left_is_shown_while_the_first_models_are_being_made():
    console = Console(file=io.StringIO(), force_terminal=True, width=120, color_system=None)
    progress = Progress(console)
    with progress.pool("retrained", models=16, stored=0) as show:
        for made in (0.1, 0.2, 0.3):
            time.sleep(0.3)
            show(made)
    assert re.search(r"retrained .* 0/16 .*\d+ s left", console.file.getvalue())


STAGES = [Stage("original", 1, 1, 2.0), Stage("retrained", 512, 0, 0.1), Stage("mine", 512, 256, 0.2)]


def test_the_plan_says_what_is_made_and_how_long_it_takes():
    assert plan_of(STAGES) == "To make: 768 models (512 retrained, 256 mine), about 1 min 42 s. Stored: 257."
    assert plan_of([Stage("mine", 8, 8, None)]) == "All 8 models are stored."
    assert plan_of([Stage("mine", 8, 0, None)]) == "To make: 8 models (8 mine). Stored: 0.", "no time that nobody knows"


def test_one_bar_shows_the_whole_command_and_the_time_that_all_of_it_takes():
    console = Console(file=io.StringIO(), force_terminal=True, width=120, color_system=None)
    progress = Progress(console)
    progress.expect(STAGES)
    with progress.pool("retrained", models=512, stored=0) as show:
        time.sleep(0.2)
        show(256)
        time.sleep(0.2)
    with progress.pool("ceiling", models=30, stored=0, unit="splits") as show:
        show(30)
    with progress.pool("mine", models=512, stored=256) as show:
        time.sleep(0.2)
        show(257)
        time.sleep(0.2)
    shown = console.file.getvalue()
    # Half a pool took 0.2 s, and so does the other half; then come 256 at 0.2 s.
    assert re.search(r"retrained .* 256/512 .*51 s left", shown)
    assert re.search(r"mine .* 257/512 .*s left", shown)
    assert "512 models   512 made in" in shown


def test_without_a_terminal_a_line_comes_now_and_then(monkeypatch):
    monkeypatch.setattr(module, "A_LINE_EVERY", 0.1)
    console = Console(file=io.StringIO(), width=100)
    with Progress(console).pool("mine", models=8, stored=0) as show:
        show(2)
        time.sleep(0.15)
        show(4)
        show(5)
    lines = console.file.getvalue().splitlines()
    assert len(lines) == 2
    assert re.match(r"mine +4 of 8 models +0\.\d+ s left", lines[0])


def test_each_seed_has_its_pools_and_one_that_failed_is_passed_over():
    console = Console(file=io.StringIO(), force_terminal=True, width=120, color_system=None)
    progress = Progress(console)
    progress.expect([Stage(name, 10, 0, 2.0, seed) for seed in (0, 1) for name in ("retrained", "bad", "mine")])
    left = []
    # One comes again, found in the store; it is not that of the next seed.
    for name, seed, stored in (
        ("retrained", 0, 0),
        ("mine", 0, 0),
        ("retrained", 0, 10),
        ("retrained", 1, 0),
        ("mine", 1, 0),
    ):
        console.file.seek(0)
        console.file.truncate()
        with progress.pool(name, models=10, stored=stored, seed=seed) as show:
            time.sleep(0.15)
            show(stored)
            time.sleep(0.15)
        left += re.findall(rf"{name}, seed {seed} .* \d+/10 (.*) left", console.file.getvalue())[-1:]
    assert [one.strip() for one in left] == ["2 min 0 s", "1 min 20 s", "1 min 0 s", "1 min 0 s", "20 s"]


def test_a_plan_of_many_pools_counts_their_models():
    many = [Stage(f"method_{number}", 10, 0, 1.0) for number in range(20)]
    assert plan_of(many) == "To make: 200 models, about 3 min 20 s. Stored: 0."
    seeds = [Stage("mine", 10, 0, 1.0, seed) for seed in range(3)]
    assert plan_of(seeds) == "To make: 30 models (30 mine), about 30 s. Stored: 0."
