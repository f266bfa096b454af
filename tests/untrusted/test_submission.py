"""Submissions that go wrong, and what the command line reports about them."""

import textwrap

import pytest

from tests.conftest import MODELS

FUNCTION = "def unlearning(net, retain, forget, val): ..."
FILES_THAT_CANNOT_BE_RUN = {
    "no function": ("x = 1", "has no function unlearning(net, retain, forget, val)"),
    "no callable": ("unlearning = 3", "expected a function unlearning(net, retain, forget, val), found int"),
    "too few arguments": (
        "x = 1\ndef unlearning(net, retain): ...",
        "mine.py, line 2: expected unlearning(net, retain, forget, val), found unlearning(net, retain), which cannot "
        "be called with 4 positional arguments",
    ),
    "too many arguments": ("def unlearning(a, b, c, d, e): ...", "found unlearning(a, b, c, d, e), which cannot"),
    "keyword-only argument": (
        "def unlearning(net, retain, forget, val, *, steps): ...",
        "found unlearning(net, retain, forget, val, *, steps), which cannot",
    ),
    "asynchronous": (
        "async def unlearning(net, retain, forget, val): ...",
        "has no function unlearning(net, retain, forget, val)",
    ),
    "syntax": (
        "x = 1\ndef unlearning(net, retain, forget, val)\n    return net",
        "mine.py, line 2: expected ':'",
    ),
    "missing import": (f"{FUNCTION}\nimport no_such_package", "imports 'no_such_package', which is not installed"),
    "fails at import": (f"{FUNCTION}\ny = 1 / 0", "ZeroDivisionError: division by zero"),
    "exits at import": (f"{FUNCTION}\nimport sys\nsys.exit(1)", "mine.py failed at import:"),
    "imports the kit": (
        "def unlearning(net, retain, forget, val):\n    import scoring.running.store",
        "line 2: a submission is uploaded as a single file and cannot import 'scoring.running.store'",
    ),
    "imports a submission": (
        "def unlearning(net, retain, forget, val):\n    from submissions.finetune import unlearning",
        "line 2: a submission is uploaded as a single file and cannot import 'submissions.finetune'",
    ),
    "imports a neighbour": ("from .finetune import unlearning", "and cannot import '.finetune'"),
}


@pytest.mark.parametrize("case", FILES_THAT_CANNOT_BE_RUN)
def test_a_file_that_cannot_be_run(kit, written, tmp_path, case):
    source, message = FILES_THAT_CANNOT_BE_RUN[case]
    # A store that does not exist yet: nothing may be trained before the file is checked.
    result = kit("score", written(source), "--store", tmp_path / "store", backend="processes")
    assert result.exit_code == 1
    assert message in result.stderr
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize("wrong", ["def unlearning(net): ...", "import starter_kit", "def unlearning(", ""])
def test_a_file_that_fails_a_static_check_is_not_executed(kit, written, tmp_path, wrong):
    source = f"from pathlib import Path\nPath({str(tmp_path / 'executed')!r}).touch()\n{wrong}"
    assert kit("score", written(source)).exit_code == 1
    assert not (tmp_path / "executed").exists()


def test_no_such_file(kit):
    result = kit("score", "submissions/fintune.py")
    assert result.exit_code == 1
    assert "There is no submission file submissions/fintune.py. Did you mean submissions/finetune.py?" in result.stderr


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("finetune", "Did you mean submissions/finetune.py?"),
        ("submissions", "submissions is a folder. `make compare` ranks all submissions"),
        ("elsewhere/nothing_like_it.py", "`make new NAME=mine` creates submissions/mine.py."),
    ],
)
def test_a_path_that_is_nearly_right(kit, path, message):
    result = kit("score", path)
    assert result.exit_code == 1
    assert message in result.stderr


def test_a_mistake_shows_before_the_long_work(kit, written, tmp_path):
    source = "def unlearning(net, retain, forget, val):\n    raise RuntimeError('at once')"
    result = kit("score", written(source), "--store", tmp_path / "store", backend="processes")
    assert result.exit_code == 1
    assert "RuntimeError: at once" in result.stderr
    assert not list((tmp_path / "store").glob("retrained-*"))


def test_a_file_that_is_not_text(kit, tmp_path):
    (tmp_path / "mine.py").write_bytes(b"\xff\xfe\x00")
    result = kit("score", tmp_path / "mine.py")
    assert result.exit_code == 1
    assert "is not a text file in UTF-8" in result.stderr


def test_an_exception_in_run_k(kit, written, tmp_path):
    source = f"""
    from pathlib import Path
    def unlearning(net, retain, forget, val):
        helper()
    def helper():
        runs = Path({str(tmp_path / "runs")!r})
        runs.mkdir(exist_ok=True)
        count = len(list(runs.iterdir()))
        (runs / str(count)).touch()
        if count == 3:
            raise RuntimeError("the fourth one breaks")
    """
    path = written(textwrap.dedent(source))
    result = kit("score", path)
    assert result.exit_code == 1
    assert "mine.py failed in run 3:" in result.stderr
    assert "line 11, in helper" in result.stderr
    assert "RuntimeError: the fourth one breaks" in result.stderr
    assert "scoring/jobs" not in result.stderr
    assert f"3 of {MODELS} models are finished and kept in" in result.stderr

    # The file counts its runs, so the fourth passes now. The three finished ones are not run again.
    result = kit("score", path)
    assert result.exit_code == 0
    assert "5 made in" in result.stderr
    assert "3 already stored" in result.stderr


def test_each_run_starts_from_the_original_with_fresh_globals(kit, written):
    source = """
    import torch
    runs = []
    def unlearning(net, retain, forget, val):
        assert not runs, "a global survived"
        assert net.training and torch.is_grad_enabled() and all(p.requires_grad for p in net.parameters())
        assert net.fc.weight.any(), "the original was changed"
        runs.append(net)
        torch.set_grad_enabled(False)
        torch.set_default_dtype(torch.float64)
        for value in net.state_dict().values():
            value.zero_()
        net.fc.bias.copy_(torch.randn(10).float())
    """
    result = kit("score", written(textwrap.dedent(source)))
    assert result.exit_code == 0, result.stderr


def test_a_fixed_seed_is_reported(kit, written):
    source = """
    import torch
    def unlearning(net, retain, forget, val):
        torch.manual_seed(0)
        net.fc.weight.data += 0.1 * torch.randn(10, 64)
    """
    result = kit("score", written(textwrap.dedent(source)))
    assert result.exit_code == 0
    assert (
        f"All {MODELS} runs gave the same answers: the method draws no random numbers or fixes its seed"
        in result.stdout
    )
    assert "epsilon is 50 and the score 0" in result.stdout


def test_the_serial_backend_shows_what_a_submission_prints(kit, written):
    source = "import torch\ndef unlearning(net, retain, forget, val):\n    print('hello'); net.fc.bias.data.normal_()"
    assert kit("score", written(source)).stdout.count("hello") == MODELS
