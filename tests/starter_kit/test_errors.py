"""Text from outside, as messages show it."""

import pytest

from starter_kit.errors import plain, quoted


@pytest.mark.parametrize(
    ("character", "shown"),
    [
        ("\x1b", r"\x1b"),
        ("\x00", r"\x00"),
        ("\x07", r"\x07"),
        ("\x08", r"\x08"),
        ("\r", r"\r"),
        ("\x7f", r"\x7f"),
        ("\x9b", r"\x9b"),
        ("\u202e", r"\u202e"),
        ("\u2066", r"\u2066"),
        ("\u2028", r"\u2028"),
        ("\u2029", r"\u2029"),
        ("\u200b", r"\u200b"),
        ("\ufeff", r"\ufeff"),
        ("\udc80", r"\udc80"),
        ("\U000e0041", r"\U000e0041"),
    ],
    ids=ascii,
)
def test_what_a_terminal_would_obey_is_shown_escaped(character, shown):
    assert plain(f"a{character}b") == quoted(f"a{character}b") == f"a{shown}b"


def test_letters_of_all_scripts_stay():
    assert plain("größe 大きさ Δ ✓") == quoted("größe 大きさ Δ ✓") == "größe 大きさ Δ ✓"


def test_a_message_keeps_its_lines_and_a_value_gets_one():
    assert plain("one\r\n\ttwo\n") == "one\n\ttwo\n"
    assert quoted("one\n\ttwo") == r"one\n\ttwo"


@pytest.mark.parametrize("text", ["x" * 301, "\x1b" * 299, "x" * 10_000_000], ids=["long", "escaped", "very long"])
def test_at_most_300_characters_are_quoted(text):
    shown = quoted(text)
    assert len(shown) == 300
    assert shown.endswith(f"… ({len(text)} characters)")


def test_300_characters_are_quoted_whole():
    assert quoted("x" * 300) == "x" * 300
