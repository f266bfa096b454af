"""A submission's file is read as Python reads it, or refused with a sentence."""

import codecs
import os
import subprocess
import sys
from pathlib import Path

import pytest

from starter_kit.contract import check, read_source, warnings_of
from starter_kit.errors import SubmissionError
from starter_kit.source import MOST_BYTES

HOOK = "def unlearning(net, retain, forget, val): ...\n"


@pytest.mark.parametrize(
    "content",
    [
        codecs.BOM_UTF8 + b"TEXT = 'x'\n",
        codecs.BOM_UTF8 + b"# coding: utf-8\nTEXT = 'x'\n",
        b"# -*- coding: utf-8 -*-\nTEXT = 'gr\xc3\xb6\xc3\x9fe'\n",
        b"# coding: ascii\nTEXT = 'x'\n",
        b"TEXT = '''one\r\ntwo\rthree\n'''\r\n",
        b"\x0cTEXT = 'form\x0cfeed'\n",
        b"TEXT = '\xe2\x80\xa8\xc2\x85'\n",
    ],
    ids=["BOM", "BOM and declaration", "UTF-8", "ASCII", "line ends", "form feed", "separators"],
)
def test_a_text_is_what_python_makes_of_it(tmp_path, content):
    path = tmp_path / "mine.py"
    path.write_bytes(content + HOOK.encode())
    program = "import runpy, sys; sys.stdout.buffer.write(runpy.run_path(sys.argv[1])['TEXT'].encode())"
    python = subprocess.run([sys.executable, "-c", program, path], capture_output=True, check=True)
    namespace: dict = {}
    exec(read_source(path), namespace)
    assert namespace["TEXT"].encode() == python.stdout


TOO_DEEP = ": expressions are nested too deeply for Python to read. Build them in several steps."


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"x = 1\ny = '\x00'\n", ", line 2: contains a NUL character, which no Python source may. Delete it."),
        (b"\x00", ", line 1: contains a NUL character"),
        (b"x = 1\r\n\r\n\x00", ", line 3: contains a NUL character"),
        (b"\x0c\n\x00", ", line 2: contains a NUL character"),
        (b"a\nb\n\xff\n", " is not a text file in UTF-8: line 3 holds the byte 0xff, invalid start byte. Save it as"),
        (b"\xff\xfex\x00", " is not a text file in UTF-8: line 1 holds the byte 0xff"),
        (b"# coding: latin-1\nx = '\xfc'\n", " is not a text file in UTF-8: line 2 holds the byte 0xfc"),
        (b"# coding: latin-1\n", ": declared encoding: iso-8859-1. Save it as UTF-8, and remove the declaration."),
        (b"\n# vim: set fileencoding=cp1252 :\n", ": declared encoding: cp1252. Save it as UTF-8"),
        (b"# coding: klingon\n", ": unknown encoding: klingon. Save it as UTF-8"),
        (b"# coding: utf-7\n", ": declared encoding: utf-7. Save it as UTF-8"),
        (
            codecs.BOM_UTF8 + b"# coding: latin-1\n",
            ": encoding problem: utf-8. Save it as UTF-8, and remove the declaration.",
        ),
        (b"x" * (MOST_BYTES + 1), " is larger than 1,000,000 bytes, which Kaggle would not take as a notebook."),
        (b"x = " + b"-" * 100_000 + b"1", TOO_DEEP),
        (b"x = " + b"1 + " * 50_000 + b"1", TOO_DEEP),
        (b"x = a" + b".b" * 50_000, TOO_DEEP),
        (b"if 1: pass\n" + b"elif 1: pass\n" * 50_000, TOO_DEEP),
        (b"(" * 50_000, ", line 1: too many nested parentheses"),
        (b"x = " + b"1" * 5000, ", line 1: Exceeds the limit"),
        (b"x = '\xe2\x80\xae\n", ", line 1: unterminated string literal (detected at line 1)\n    x = '\\u202e"),
        (b"x = \xe2\x80\xae1\n", ", line 1: invalid non-printable character U+202E"),
        (b"x = \x1b[31m\n", ", line 1: invalid non-printable character U+001B\n    x = \\x1b[31m"),
        (b"'''" + b"x" * 1000 + b"''' )", "… (1008 characters)"),
        (b"\tx = 1\n", ", line 1: unexpected indent"),
        (b"\xef\xbb\xbf\xef\xbb\xbfx = 1\n", ", line 1: invalid non-printable character U+FEFF"),
    ],
    ids=range(25),
)
def test_a_file_that_cannot_be_read(tmp_path, content, message):
    path = tmp_path / "mine.py"
    path.write_bytes(content)
    with pytest.raises(SubmissionError) as caught:
        read_source(path)
    text = str(caught.value)
    assert text.startswith(str(path))
    assert message in text
    assert len(text) < 700
    assert all(one.isprintable() or one == "\n" for one in text)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (b"gr\xfc\xdf.py", r"gr\udcfc\udcdf.py: expected a file name in UTF-8. Rename the file."),
        (b"...py", "...py: expected a name before .py. Rename the file."),
        (b"..py", "..py: expected a name before .py. Rename the file."),
    ],
)
def test_a_name_that_no_report_can_have(tmp_path, name, message):
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name))
    path.write_text(HOOK)
    with pytest.raises(SubmissionError) as caught:
        read_source(path)
    assert str(caught.value) == f"{tmp_path}/{message}"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("a\x1b[31m.py", r"There is no submission file a\x1b[31m.py. "),
        ("n" * 300 + ".py", "… (303 characters): File name too long."),
        ("loop.py", "There is no submission file loop.py. "),
        ("dangling.py", "There is no submission file dangling.py. "),
        ("pipe.py", "There is no submission file pipe.py. "),
        ("file/below.py", "There is no submission file file/below.py. "),
    ],
)
def test_a_path_that_leads_to_no_file(tmp_path, monkeypatch, name, message):
    monkeypatch.chdir(tmp_path)
    Path("loop.py").symlink_to("loop.py")
    Path("dangling.py").symlink_to("nowhere")
    Path("file").touch()
    os.mkfifo("pipe.py")
    with pytest.raises(SubmissionError) as caught:
        read_source(Path(name))
    assert message in str(caught.value)
    assert len(str(caught.value)) < 400


def test_a_file_as_long_as_allowed(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(HOOK + "#" * (MOST_BYTES - len(HOOK)))
    assert len(read_source(path)) == MOST_BYTES


def test_a_deep_but_readable_file_is_checked_and_warned_about():
    deep = "a" + ".b" * 1500
    source = f"{HOOK}open({deep})\nif 1: pass\n" + "elif 1: pass\n" * 1500
    check(Path("mine.py"), source)
    assert warnings_of(source) == [
        "line 2: reads the file …, which will not exist on Kaggle: only the submission itself is uploaded."
    ]
    with pytest.raises(SubmissionError, match=r"found unlearning\(…\), which cannot be called"):
        check(Path("mine.py"), f"def unlearning(net={deep}): ...\n")


def test_a_prompt_after_a_form_feed_has_the_line_that_an_editor_shows():
    (warning,) = warnings_of(f"{HOOK}\x0cTEXT = '''\x0c>>> x\n'''\n")
    assert warning.startswith("line 2: begins with ")


def test_what_python_warns_about_is_no_error():
    """Under any filter, such as that of these tests, where warnings are errors."""
    check(Path("mine.py"), HOOK + "TEXT = '\\d'\nx = 1 is 1\n")
