"""What may be wrong with a submission that brings its own learning, and what the error says."""

import json
import sys

import pytest

from scoring import run
from scoring.untrusted.model_info import ModelInfo
from scoring.untrusted.submission import read
from starter_kit.errors import SubmissionError
from starter_kit.kaggle.bundle import bundle
from tests.conftest import quiet_pools
from tests.learning.sources import MODELS, SAME, TWINS, digits_briefly


def answering(expression):
    """A submission whose models answer with this."""
    module = f"class Wrong(torch.nn.Module):\n    def forward(self, x):\n        return {expression}\n"
    return f"import torch\n\n{module}\ndef learning(net, train, val):\n    return Wrong()\n\n{SAME}"


WRONG = {
    "learning that returns no module": (
        "def learning(net, train, val):\n    return 3\n" + SAME,
        "in run 0:\nlearning returned int; expected a module, or None if `net` was changed in place",
    ),
    "unlearning that returns no module": (
        "def learning(net, train, val):\n    return net\n\ndef unlearning(net, retain, forget, val):\n    return 3\n",
        "in run 0:\nunlearning returned int; expected a module",
    ),
    "answers of another shape": (
        answering("x.flatten(1)[:, None]"),
        r"in run 0: on the retain set the model answers with shape \[1024, 1, 64\]; expected logits of shape \[B, C\]",
    ),
    "answers that are no tensor": (
        answering("[x]"),
        "in run 0:\nthe model answers with list; expected logits as one tensor",
    ),
    "answers that are NaN": (
        "def learning(net, train, val):\n    net.fc.bias.data[:] = float('nan')\n    return net\n" + SAME,
        "in run 0: on the retain set 1342 of 1342 examples get NaN or infinite logits",
    ),
    "a module that cannot be copied": (
        "import threading\n\ndef learning(net, train, val):\n    net.lock = threading.Lock()\n    return net\n" + SAME,
        "in run 0:\nthe module that learning returned cannot be copied.*copy.deepcopy raises TypeError",
    ),
    "an error in learning": ("def learning(net, train, val):\n    raise RuntimeError('no')\n" + SAME, "no"),
    "too many parameters": (
        "def learning(net, train, val, more):\n    return net\n" + SAME,
        r"expected learning\(net, train, val\), found learning\(net, train, val, more\)",
    ),
    "learning without unlearning": (
        "def learning(net, train, val):\n    return net\n",
        r"has no function unlearning\(net, retain, forget, val\)",
    ),
    "learning that is no function": ("learning = 3\n" + SAME, r"expected a function learning\(net, train, val\)"),
    "a guarantee without its numbers": (
        "def learning(net, train, val):\n    net.guarantee = {'epsilon': 1}\n    return net\n" + SAME,
        "or `generated` cannot be used: a guarantee has noise_multiplier, sample_rate, steps, delta",
    ),
    "an absurd guarantee": (
        "def learning(net, train, val):\n"
        "    net.guarantee = dict(noise_multiplier=-1, sample_rate=1, steps=1, delta=1e-5)\n    return net\n" + SAME,
        r"a guarantee's noise_multiplier must be a number from 0.001 to 1e\+06, not -1",
    ),
    "a guarantee that is no mapping": (
        "def learning(net, train, val):\n    net.guarantee = 1.0\n    return net\n" + SAME,
        "the model's `guarantee` is float; expected a dictionary of numbers by name",
    ),
    "details that are no numbers": (
        "def learning(net, train, val):\n    net.details = {'a': 'b'}\n    return net\n" + SAME,
        "`guarantee`, `details` or `generated` cannot be used: its detail a is not a number between -1e15 and 1e15",
    ),
}


@pytest.mark.parametrize("backend", ["serial", "processes"])
@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_said_in_a_sentence(shared, written, name, backend):
    source, sentence = WRONG[name]
    pools = quiet_pools(shared, digits_briefly(), backend, 1)

    def scored(path):
        submission = read(path)
        pools.of(submission).unlearned(submission, 1)

    path = written(source)
    with pytest.raises(SubmissionError, match=f"(?s)mine.py.*{sentence}"):
        scored(path)


HOSTILE = {
    "no mapping": "3",
    "a huge size": '{"size": 1' + "0" * 40 + "}",
    "a huge figure": '{"details": {"x": 1' + "0" * 400 + "}}",
    "a name that is none": '{"details": {"\\u001b[31m": 1}}',
    "deep": "[" * 3000,
    "long": "x" * 10_001,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_a_hostile_run_says_of_its_model_is_refused(name):
    with pytest.raises(ValueError, match=r"its|expected details"):
        ModelInfo.from_bytes(HOSTILE[name].encode())


def test_every_model_must_promise_the_same(pools, written):
    source = "def learning(net, train, val):\n    import random\n    net.guarantee = dict("
    source += "noise_multiplier=1 + random.random(), sample_rate=1, steps=1, delta=1e-5)\n    return net\n" + SAME
    with pytest.raises(SubmissionError, match="its models carry 8 different guarantees; expected the same one in all"):
        run.run(written(source), pools, MODELS)


def test_it_does_not_go_to_kaggle(written, tmp_path):
    with pytest.raises(SubmissionError, match="brings its own learning, so it cannot go to Kaggle"):
        bundle(written(TWINS), folder=tmp_path)


def test_a_package_of_an_extra_that_is_missing_is_named_with_the_command(shared, written, monkeypatch):
    monkeypatch.setitem(sys.modules, "opacus", None)
    submission = read(written("import opacus\n\ndef learning(net, train, val):\n    return net\n" + SAME))
    pools = quiet_pools(shared, digits_briefly())
    with pytest.raises(
        SubmissionError,
        match=r"imports 'opacus', which is not installed here\. Install it with: "
        r"out/venv/bin/python -m pip install '\.\[private\]'",
    ):
        pools.of(submission).unlearned(submission, 1)


def test_a_rehearsal_refuses_it_before_any_work(invoke, written, tmp_path):
    done = invoke("rehearse", written(TWINS), "--out", tmp_path / "rehearsal")
    assert done.exit_code == 1
    assert "brings its own learning, so it cannot go to Kaggle" in done.output
    assert not (tmp_path / "rehearsal").exists()


def test_a_comparison_of_everything_leaves_it_out_and_says_so(kit, tmp_path, monkeypatch):
    (tmp_path / "submissions").mkdir()
    (tmp_path / "submissions/plain.py").write_text(SAME)
    (tmp_path / "submissions/twins.py").write_text(TWINS)
    monkeypatch.chdir(tmp_path)
    done = kit("compare")
    assert done.exit_code == 0, done.output
    assert "Left out, because they bring their own learning: twins. Name them with SUBMISSIONS=" in done.output
    names = [
        report["submission"]["name"]
        for report in json.loads((tmp_path / "report/comparison.json").read_text())["ranking"]
    ]
    assert names == ["plain"]
