"""Submissions that go wrong, and what the command line reports about them."""

import textwrap

import numpy as np
import pytest

from scoring.untrusted.submission import read
from tests.conftest import MODELS, make_pools

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
    "exits at import": (f"{FUNCTION}\nimport sys\nsys.exit(1)", "mine.py cannot be imported:"),
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
    result = kit("score", written(source), "--store", tmp_path / "store")
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
    result = kit("score", written(source), "--store", tmp_path / "store")
    assert result.exit_code == 1
    assert "RuntimeError: at once" in result.stderr
    assert not list((tmp_path / "store").glob("retrained-*"))


def test_a_file_that_is_not_text(kit, tmp_path):
    (tmp_path / "mine.py").write_bytes(b"\xff\xfe\x00")
    result = kit("score", tmp_path / "mine.py")
    assert result.exit_code == 1
    assert "is not a text file in UTF-8" in result.stderr


RUNS_THAT_FAIL = {
    "returns no model": ("return 3", "unlearning returned int; expected the model, or None"),
    "returns a state": ("return net.state_dict()", "unlearning returned OrderedDict; expected the model"),
    "another architecture": (
        "net.fc = torch.nn.Linear(64, 7)",
        "The first is fc.bias: expected (10,), found (7,)",
    ),
    "a part missing": ("del net.fc\nreturn net", "expected (10,), found none"),
    "a mask left on": (
        "import torch.nn.utils.prune as p; p.random_unstructured(net.fc, 'weight', 0.5)",
        "Make masks and parametrizations permanent before returning",
    ),
    "NaN weights": (
        "net.fc.weight.data.fill_(float('nan'))",
        "1 of the model's tensors hold NaN or infinite weights",
    ),
    "infinite weights": (
        "net.fc.weight.data[0, 0] = float('inf')",
        "hold NaN or infinite weights, first fc.weight",
    ),
    "NaN outputs": ("net.bn1.running_var.fill_(-1.0)", "get NaN or infinite logits"),
    "changes the examples": ("retain.dataset.inputs.div_(16)", "it changed the examples in place"),
    "changes the network's class": (
        "type(net).forward = lambda self, x: torch.zeros(len(x), 10)",
        "the original model no longer answers as before",
    ),
    "exits": ("raise SystemExit(1)", "failed in run 0"),
}


@pytest.fixture
def network_restored():
    """The serial backend runs in this process, so the network's class stays changed."""
    from starter_kit.networks.digit_net import DigitNet

    forward = DigitNet.forward
    yield
    DigitNet.forward = forward


@pytest.mark.usefixtures("network_restored")
@pytest.mark.parametrize("case", RUNS_THAT_FAIL)
def test_a_run_that_fails(kit, written, case):
    body, message = RUNS_THAT_FAIL[case]
    source = "import torch\ndef unlearning(net, retain, forget, val):\n" + textwrap.indent(body, "    ")
    result = kit("score", written(source))
    assert result.exit_code == 1
    assert message in result.stderr
    assert "mine.py" in result.stderr


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
    assert "3 found in the store" in result.stderr


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


def test_a_killed_worker_costs_nothing(kit, written, tmp_path):
    source = f"""
    import os, signal
    from pathlib import Path
    def unlearning(net, retain, forget, val):
        if not Path({str(tmp_path / "killed")!r}).exists():
            Path({str(tmp_path / "killed")!r}).touch()
            os.kill(os.getpid(), signal.SIGKILL)
        net.fc.bias.data.normal_()
    """
    result = kit("score", written(textwrap.dedent(source)), backend="processes")
    assert result.exit_code == 0, result.stderr
    assert (tmp_path / "killed").exists()
    assert f"{MODELS - 1} made in" in result.stderr


def test_the_serial_backend_shows_what_a_submission_prints(kit, written):
    source = "import torch\ndef unlearning(net, retain, forget, val):\n    print('hello'); net.fc.bias.data.normal_()"
    assert kit("score", written(source)).stdout.count("hello") == MODELS


def test_a_submission_may_use_loaders_with_their_own_processes(store, written):
    source = """
    import torch
    from torch.utils.data import DataLoader
    def unlearning(net, retain, forget, val):
        loader = DataLoader(forget.dataset, batch_size=32, shuffle=True, num_workers=1)
        net.fc.bias.data += 0.1 * torch.stack([batch["image"].mean() for batch in loader]).std() * torch.randn(10)
    """
    pools = make_pools(store, "processes", 2)
    outputs = pools.unlearned(read(written(textwrap.dedent(source))), pools.original, 2)
    assert len(np.unique(outputs.test_confidence, axis=0)) == 2
