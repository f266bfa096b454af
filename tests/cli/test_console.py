"""What reaches the terminal, whatever a text from outside contains."""

import io

import pytest
import typer
from rich.table import Table

from scoring.cli import console
from scoring.cli.console import HEAD, TAIL, PlainConsole, reporting_errors
from scoring.reports import CONTRADICTED
from scoring.running.progress import Progress
from starter_kit.errors import SubmissionError

HOSTILE = "[red]a[/red] :bomb: \x1b[31m\u202e\udc80 [/nothing]"
SHOWN = r"[red]a[/red] :bomb: \x1b[31m\u202e\udc80 [/nothing]"


@pytest.fixture
def terminal(monkeypatch):
    """A terminal without colours, in place of both streams."""
    made = PlainConsole(file=io.StringIO(), force_terminal=True, color_system=None, width=200)
    monkeypatch.setattr(console, "messages", made)
    monkeypatch.setattr(console, "results", made)
    return made


@pytest.mark.parametrize(
    "show",
    [
        console.say,
        console.say_error,
        lambda text: console.warn([text]),
        lambda text: console.say_notes([text]),
        lambda text: Progress(console.messages).say(text),
    ],
    ids=["say", "say_error", "warn", "say_notes", "progress"],
)
def test_a_text_is_only_text(terminal, show):
    show(HOSTILE)
    assert SHOWN in terminal.file.getvalue()
    assert "\x1b" not in terminal.file.getvalue()


@pytest.mark.parametrize("part", ["title", "caption", "heading", "cell"])
def test_tables_show_text(terminal, part):
    table = Table(title=HOSTILE if part == "title" else None, caption=HOSTILE if part == "caption" else None)
    table.add_column(HOSTILE if part == "heading" else "")
    table.add_row(HOSTILE if part == "cell" else "x" * 100)
    terminal.print(table)
    assert SHOWN in terminal.file.getvalue()


@pytest.mark.parametrize("is_terminal", [True, False])
def test_a_pool_may_have_any_name(is_terminal):
    """On a console of any kind, such as the one that a program of one's own hands in."""
    from rich.console import Console

    output = Console(file=io.StringIO(), force_terminal=is_terminal, width=200, color_system=None)
    with Progress(output).pool(HOSTILE + "\n", models=8, stored=0) as show:
        show(4)
        show(8)
    written = output.file.getvalue()
    assert f"{SHOWN}\\n" in written
    assert "\x1b[31m" not in written
    assert written.count("made in") == 1


def test_the_middle_of_a_very_long_traceback_is_left_out(terminal):
    lines = [f"line {number}" for number in range(100_000)]
    with pytest.raises(typer.Exit), reporting_errors("Stopped."):
        raise SubmissionError("\n".join(lines))
    written = terminal.file.getvalue()
    assert written.count("\n") == HEAD + TAIL + 1
    for shown in ("line 0\n", "line 39\n", "… (99900 lines are left out)\n", "line 99940\n", "line 99999"):
        assert shown in written
    assert "line 40\n" not in written


def test_a_very_long_line_is_cut(terminal):
    console.say_error("x" * 100_000)
    written = terminal.file.getvalue()
    assert len(written) < 2100
    assert "… (100000 characters)" in written


def test_a_contradicted_guarantee_is_red_and_other_notes_are_not(monkeypatch):
    shown = io.StringIO()
    monkeypatch.setattr(console, "results", console.PlainConsole(file=shown, force_terminal=True, width=200))
    console.say_notes([f"{CONTRADICTED}: more is proved.", "Something else."])
    first, second = shown.getvalue().strip().split("\n")
    assert "\x1b[31m" in first
    assert "\x1b[31m" not in second
