"""Bad input on the command line, each with the sentence that it gets."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]

USAGE, INPUT = 2, 1
"""Exit codes: a value that cannot be, and one whose task or file is at fault."""

NOT_A_NUMBER = ["", " ", "x", "8.0", "1e3", "+8", "0x10", "8_0", " 8", "\uff18", "\u0668", "8\x1b[31m", "nan"]
LARGE = ["65537", "99999999999999999999", "9" * 5000]

REFUSED = [
    *(("--models", value, USAGE, "expected a whole number from 8 to 65536, found '") for value in LARGE),
    *(("--models", value, USAGE, "expected a whole number from 8 to 65536") for value in NOT_A_NUMBER),
    ("--models", "0", USAGE, "expected at least 8 models, found 0. With fewer, epsilon is meaningless."),
    ("--models", "-8", USAGE, "expected a whole number from 8 to 65536, found '-8'"),
    ("--seed", "-1", USAGE, "expected a whole number from 0 to 9223372036854775807, found '-1'"),
    ("--seed", "9223372036854775808", USAGE, "expected a whole number from 0 to 9223372036854775807"),
    ("--seed", "18446744073709551616", USAGE, "expected a whole number from 0 to 9223372036854775807"),
    ("--seed", "9" * 5000, USAGE, "… (5000 characters)'"),
    ("--seed", "today", USAGE, "expected a whole number from 0 to 9223372036854775807, found 'today'"),
    ("--workers", "0", USAGE, "expected a whole number from 1 to 1024, found '0'"),
    ("--workers", "1025", USAGE, "expected a whole number from 1 to 1024, found '1025'"),
    ("--workers", "-1", USAGE, "expected a whole number from 1 to 1024, found '-1'"),
    ("--device", "meta", USAGE, "'meta' is unavailable on this machine. Expected cpu, cuda, cuda:1 or mps"),
    ("--device", "xla", USAGE, "'xla' is unavailable on this machine."),
    ("--device", "vulkan", USAGE, "'vulkan' is unavailable on this machine."),
    ("--device", "cpu:0", USAGE, "'cpu:0' is unavailable on this machine."),
    ("--device", "cpu:3", USAGE, "'cpu:3' is unavailable on this machine."),
    ("--device", "CPU", USAGE, "'CPU' is unavailable on this machine."),
    ("--device", "cpu\n", USAGE, r"'cpu\n' is unavailable on this machine."),
    ("--device", " cpu", USAGE, "' cpu' is unavailable on this machine."),
    ("--device", "cuda:99", INPUT, "'cuda:99' is unavailable on this machine."),
    ("--device", "cuda:-1", USAGE, "'cuda:-1' is unavailable on this machine."),
    ("--device", "cuda:99999999999999999999", USAGE, "'cuda:99999999999999999999' is unavailable on this machine."),
    ("--device", "cuda:\u0661", USAGE, "'cuda:\u0661' is unavailable on this machine."),
    ("--device", "a\x1b]0;b\x07", USAGE, r"'a\x1b]0;b\x07' is unavailable on this machine."),
    ("--device", "x" * 1000, USAGE, "… (1000 characters)' is unavailable on this machine."),
    ("--backend", "", USAGE, "expected one of processes, ray, serial, found ''"),
    ("--backend", "../serial", USAGE, "expected one of processes, ray, serial, found '../serial'"),
    ("--backend", "Serial\u202e", USAGE, r"expected one of processes, ray, serial, found 'Serial\u202e'"),
    ("--task", "", INPUT, "There is no task ''. Tasks: "),
    ("--task", "[red]digits[/red]", INPUT, "There is no task '[red]digits[/red]'. "),
    ("--task", "digits\x1b[2J", INPUT, r"There is no task 'digits\x1b[2J'. Did you mean 'digits'?"),
    ("--task", "digits:", INPUT, "The task digits has one size only: name it without ':'."),
    ("--task", "digits:\u2028", INPUT, r"The task digits has one size only: name it without ':\u2028'."),
    ("--task", "faces:", INPUT, "Expected a task's size as a whole number, as in faces:600; found 'faces:'."),
    ("--task", "faces:0", INPUT, "faces: expected at least 600 pictures, found 0; try TASK=faces:600"),
    ("--task", "faces:-1", INPUT, "Expected a task's size as a whole number, as in faces:600; found 'faces:-1'."),
    ("--task", "faces:600:1", INPUT, "Expected a task's size as a whole number, as in faces:600; found 'faces:600:1'."),
    ("--task", "faces:99999999999999", INPUT, "Expected a task's size in at most 9 digits; found"),
    ("--task", "x" * 1000, INPUT, "… (1000 characters)'. Tasks: "),
    ("--data", "", USAGE, "expected a path, found an empty string. Omit the option, or give a path."),
    ("--data", "README.md", USAGE, "expected a folder, found the file README.md. Name another."),
    ("--data", "n" * 300, USAGE, "File name too long."),
    ("--data", "README.md/below", INPUT, "The task digits reads no folder, so DATA=README.md/below would be ignored."),
    ("--data", "a\x1b[31m", INPUT, r"The task digits reads no folder, so DATA=a\x1b[31m would be ignored."),
    ("--store", "", USAGE, "expected a path, found an empty string. Omit the option, or give a path."),
    ("--store", "README.md", USAGE, "expected a folder, found the file README.md. Name another."),
    ("--store", "/dev/null", USAGE, "expected a folder, found the file /dev/null. Name another."),
    ("--store", "n" * 300, USAGE, "File name too long."),
    ("--store", "README.md/below", INPUT, "Not a directory. Make room, or name another folder with STORE= or OUT=."),
    ("--store", "/proc/store", INPUT, "Cannot write /proc/store/"),
    ("--out", "", USAGE, "expected a path, found an empty string. Omit the option, or give a path."),
    (
        "--out",
        "README.md",
        INPUT,
        "Cannot write the report to README.md: it is a file, and no folder. Name another with OUT=.",
    ),
    ("--out", "README.md/x", INPUT, "Cannot write the report to README.md/x: Not a directory. Name another with OUT=."),
    ("--out", "/proc/report", INPUT, "Cannot write the report to /proc/report: "),
    ("--out", "/dev/null/[bold]x", INPUT, "Cannot write the report to /dev/null/[bold]x: Not a directory."),
    ("--out", "n" * 300, USAGE, ": File name too long."),
    ("--checkpoints", "", USAGE, "expected a path, found an empty string."),
    (
        "--checkpoints",
        "none.zip",
        INPUT,
        "Expected SUBMISSION= or CHECKPOINTS=, found both: submissions/identity.py and",
    ),
    ("--nonsense\x1b[31m", "1", USAGE, r"No such option: --nonsense\x1b[31m"),
    ("--" + "n" * 1000, "1", USAGE, " characters)"),
]


@pytest.mark.parametrize(("option", "value", "exit_code", "message"), REFUSED, ids=ascii)
def test_an_option_that_is_refused(kit, tmp_path, option, value, exit_code, message):
    before = {*ROOT.iterdir()}
    result = kit("score", "submissions/identity.py", option, value)
    assert_refused(result, exit_code, message)
    assert {*ROOT.iterdir()} == before
    assert not (tmp_path / "report").exists()


def assert_refused(result, exit_code, message):
    """The sentence is there, in one piece on a wide terminal, without a traceback and with no text in the raw."""
    assert result.exit_code == exit_code, result.stderr
    assert message in " ".join(result.stderr.replace("│", " ").split()) or message in result.stderr
    assert "Traceback" not in result.stderr
    assert result.exception is None or isinstance(result.exception, SystemExit)
    assert all(one.isprintable() or one == "\n" for one in result.stderr + result.stdout)
    assert len(" ".join(result.stderr.replace("─", "").split())) < 1000


FILES = [
    ("", USAGE, "expected a path, found an empty string."),
    (".", INPUT, ". is a folder. `make compare` ranks all submissions; `make score` takes one file."),
    ("none.py", INPUT, "There is no submission file none.py. `make new NAME=mine` creates submissions/mine.py."),
    ("submissions/fintune.py", INPUT, "Did you mean submissions/finetune.py?"),
    ("[red]a[/red].py", INPUT, "There is no submission file [red]a[/red].py. "),
    ("a\x1b[31m\r\n.py", INPUT, r"There is no submission file a\x1b[31m\r\n.py. "),
    ("n" * 300 + ".py", USAGE, "… (303 characters): File name too long."),
    ("n" * 5000, USAGE, "… (5000 characters): File name too long."),
    ("/dev/null", INPUT, "There is no submission file /dev/null. "),
]


@pytest.mark.parametrize("command", ["score", "compare"])
@pytest.mark.parametrize(("path", "exit_code", "message"), FILES, ids=ascii)
def test_a_submission_that_is_refused(kit, command, path, exit_code, message):
    assert_refused(kit(command, path), exit_code, message)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("README.md", "README.md, line "),
        ("tests/data/faces.png", "tests/data/faces.png is not a text file in UTF-8: line 1 holds the byte 0x89"),
    ],
)
def test_a_file_that_is_no_submission_is_refused(kit, path, message):
    assert_refused(kit("score", path), INPUT, message)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["score", "a.py", "b.py"], "Got unexpected extra argument"),
        (["score", "a.py", "b\x1b[31m.py"], r"b\x1b[31m.py"),
        (["nonsense\x1b[31m"], r"No such command 'nonsense\x1b[31m'."),
        (["n" * 1000], " characters)"),
        (["score", "--models"], "--models"),
        (["bundle"], "Missing argument"),
        (["bundle", "submissions/identity.py", "--precision", "doub\x1b[31mle"], r"doub\x1b[31mle"),
        (["bundle", "submissions/identity.py", "--precision", "x" * 1000], " characters)"),
        (
            ["bundle", "submissions/identity.py", "--bundles", "README.md"],
            "expected a folder, found the file README.md",
        ),
        (["submissions", "--reports", "README.md"], "expected a folder, found the file README.md"),
        (["judge", "a.npz"], "Missing argument"),
        (["new"], "Missing argument"),
    ],
    ids=ascii,
)
def test_a_command_line_that_is_refused(invoke, arguments, message):
    assert_refused(invoke(*arguments), USAGE, message)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("none.npz", None, "none.npz: No such file or directory. `make score` writes unlearned.npz"),
        ("a folder", "folder", "a folder: Is a directory. `make score` writes unlearned.npz"),
        ("empty.npz", b"", "empty.npz: expected outputs saved by `make score`; this is not a complete"),
        ("text.npz", b"no outputs", "text.npz: expected outputs saved by `make score`"),
        ("cut.npz", b"PK\x03\x04", "cut.npz: expected outputs saved by `make score`"),
        ("a\x1b[31m.npz", b"", r"a\x1b[31m.npz: expected outputs saved by `make score`"),
        ("[b]a.npz", b"", "[b]a.npz: expected outputs saved by `make score`"),
    ],
    ids=ascii,
)
def test_outputs_that_are_refused(invoke, tmp_path, name, content, message):
    path = tmp_path / name
    if content == "folder":
        path.mkdir()
    elif content is not None:
        path.write_bytes(content)
    assert_refused(invoke("judge", path, path), INPUT, message)


def test_outputs_with_hostile_names_are_refused(invoke, tmp_path):
    np.savez(tmp_path / "a.npz", **{"\x1b[31mred" + "x" * 1000: np.zeros(1)})
    assert_refused(invoke("judge", tmp_path / "a.npz", tmp_path / "a.npz"), INPUT, r"found \x1b[31mred")


@pytest.mark.parametrize(
    ("command", "below"),
    [
        *(
            (command, below)
            for command in ("score", "compare")
            for below in ("out", "out/reports", "out/reports/digits")
        ),
        ("score", "out/reports/digits/seed-0/8-models/mine"),
        ("compare", "out/reports/digits/seed-0/8-models/comparison"),
        ("export", "out"),
        ("export", "out/exports/digits"),
    ],
)
def test_the_usual_place_of_a_report_shows_before_the_work(tmp_path, monkeypatch, invoke, command, below):
    """Not only that of OUT=."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / below).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / below).write_text("in the way")
    (tmp_path / "mine.py").write_text("def unlearning(net, retain, forget, val): ...\n")
    arguments = ["export", "--task", "digits"] if command == "export" else [command, "mine.py", "--models", "8"]
    result = invoke(*arguments, "--store", tmp_path / "store")
    assert_refused(result, INPUT, "Cannot write the report to out/")
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize("name", ["report.json", "report.png", "unlearned.npz"])
def test_a_folder_in_the_place_of_a_report_shows_before_the_work(kit, tmp_path, name):
    (tmp_path / "report" / name).mkdir(parents=True)
    result = kit("score", "submissions/identity.py", "--store", tmp_path / "store")
    assert_refused(result, INPUT, f"{name} is in the way. Remove it, or name another folder with OUT=.")
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize("name", ["comparison.json", "comparison.png", "identity/report.json"])
def test_a_folder_in_the_place_of_a_comparison_shows_before_the_work(kit, tmp_path, name):
    (tmp_path / "report" / name).mkdir(parents=True)
    result = kit("compare", "submissions/identity.py", "--store", tmp_path / "store")
    assert_refused(result, INPUT, f"{name} is in the way. Remove it, or name another folder with OUT=.")
    assert not (tmp_path / "store").exists()


def test_a_name_that_is_no_text_is_refused_by_the_real_program(tmp_path):
    """Its bytes reach no report, whose text is UTF-8, and no terminal."""
    path = os.fsencode(tmp_path) + b"/gr\xfc\xdf.py"
    Path(os.fsdecode(path)).write_text("def unlearning(net, retain, forget, val): ...\n")
    command = [sys.executable, "-m", "scoring", "score", path, "--store", str(tmp_path / "store"), "--models", "8"]
    result = subprocess.run(command, capture_output=True, cwd=ROOT)
    assert result.returncode == 1
    assert result.stderr.decode().endswith(r"gr\udcfc\udcdf.py: expected a file name in UTF-8. Rename the file." + "\n")


def test_a_submission_may_have_any_name_that_is_text(kit, tmp_path):
    name = "[red]a$b$ :bomb: \x1b[31m\u202e"
    (tmp_path / f"{name}.py").write_text(Path("submissions/identity.py").read_text())
    shown = r"[red]a$b$ :bomb: \x1b[31m\u202e"
    for command in ("score", "compare"):
        result = kit(command, tmp_path / f"{name}.py")
        assert result.exit_code == 0, result.stderr
        output = result.stdout + result.stderr
        assert all(one.isprintable() or one == "\n" for one in output)
        assert shown in output


def test_what_a_submission_says_is_shown_escaped_and_cut(kit, written):
    source = (
        "def unlearning(net, retain, forget, val):\n    raise RuntimeError('\\x1b[31m[bold]\\u202e\\n' * 100_000)\n"
    )
    result = kit("score", written(source))
    assert result.exit_code == INPUT
    assert r"RuntimeError: \x1b[31m[bold]\u202e" in result.stderr
    assert all(one.isprintable() or one == "\n" for one in result.stderr)
    assert "lines are left out)" in result.stderr
    assert len(result.stderr.splitlines()) < 120
