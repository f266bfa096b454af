"""Submissions that bring their own learning: how they are judged, what they may send, and when they are certified."""

import io
import json
import re
import runpy
import signal
import sys
import textwrap
import threading
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch
from opacus.accountants import PRVAccountant
from rich.console import Console

from scoring import run
from scoring.jobs.certificate import CertificateJob, requests_of
from scoring.jobs.setting import Setting
from scoring.judging.audit import audit_epsilon
from scoring.judging.certificate import first_difference
from scoring.learners.guarantee import Guarantee
from scoring.reports.record import record_of
from scoring.reports.table import table
from scoring.untrusted.submission import Submission, read
from scoring.untrusted.told import Told
from starter_kit import tasks
from starter_kit.errors import InputError, SubmissionError
from starter_kit.examples import ExampleLoader, Examples
from starter_kit.kaggle.bundle import bundle
from tests.conftest import quiet_pools
from tests.toys import canary_task

ROOT = Path(__file__).parents[1]
MODELS = 8

TWINS = """
import copy
import torch
from torch import nn
from torch.nn.functional import cross_entropy

class Twins(nn.Module):
    def __init__(self, first, second):
        super().__init__()
        self.networks = nn.ModuleList([first, second])
        self.details = {"networks": 2}

    def forward(self, x):
        return (self.networks[0](x) + self.networks[1](x)) / 2

def learning(net, train, val):
    model = Twins(net, copy.deepcopy(net))
    for network in model.networks:
        optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
        for inputs, targets in train:
            optimizer.zero_grad()
            cross_entropy(network(inputs), targets).backward()
            optimizer.step()
    return model

def unlearning(net, retain, forget, val):
    for weight in net.parameters():
        weight.data += 0.01 * torch.randn_like(weight)
"""


def digits_briefly():
    task = tasks.load("digits")
    return replace(task, recipe=replace(task.recipe, epochs=2))


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """A store with the task's own pool."""
    folder = tmp_path_factory.mktemp("own")
    quiet_pools(folder, digits_briefly()).retrained(MODELS)
    return folder


@pytest.fixture
def pools(shared):
    return quiet_pools(shared, digits_briefly())


@pytest.fixture(scope="module")
def twins(shared):
    path = shared / "mine.py"
    path.write_text(TWINS)
    return run.run(path, quiet_pools(shared, digits_briefly()), MODELS)


def test_each_unlearned_model_starts_from_one_that_it_learned_itself(twins):
    floor = twins.reference.floor.outputs
    assert len(np.unique(floor.forget_confidence, axis=0)) == MODELS
    # A little noise on each of them: every unlearned model is close to the original with its own index.
    distance = np.abs(twins.unlearned.outputs.test_confidence[:, None] - floor.test_confidence[None]).mean(axis=2)
    assert (distance.argmin(axis=1) == np.arange(MODELS)).all()
    assert (distance > 0).all()


def test_forgetting_is_held_against_its_own_pool_and_accuracy_against_the_tasks(twins):
    reference, score = twins.reference, twins.unlearned.score
    assert reference.retrained.identity != reference.accuracy.identity
    assert twins.unlearned.outputs.identity == reference.retrained.identity
    of_task = quiet_pools(reference.pools.store, digits_briefly()).retrained(MODELS)
    expected = twins.unlearned.outputs.test_accuracy.mean() / of_task.test_accuracy.mean()
    assert score.test_ratio == expected
    assert of_task.test_accuracy.mean() != reference.retrained.test_accuracy.mean()


def test_its_retrained_models_never_saw_the_forget_set(twins):
    accuracy = twins.reference.retrained.forget_accuracy.mean()
    assert accuracy < twins.reference.floor.outputs.forget_accuracy.mean() - 0.02


def test_its_report_says_who_learned_how_long_and_how_much_it_holds(twins):
    record = record_of(twins)
    assert record.run.learner == "mine"
    assert record.details == {"networks": 2}
    assert record.learning.seconds > record.time.seconds > 0
    assert record.time.retraining_seconds > record.time.seconds
    weights = sum(value.nbytes for value in twins.reference.pools.task.network().state_dict().values())
    assert 2 * weights <= record.learning.state_bytes < 2.1 * weights
    assert any("the kit cannot verify their answers" in note for note in record.notes)
    console = Console(width=100, file=io.StringIO())
    console.print(table(record))
    shown = console.file.getvalue()
    assert all(line in shown for line in ("ceiling", "seconds of learning", "megabytes of state", "networks"))


def test_apart_from_the_judge_it_gives_the_same_bits(twins, tmp_path):
    pools = quiet_pools(tmp_path, digits_briefly(), "processes", 2)
    apart = pools.of(twins.submission).unlearned(twins.submission, MODELS)
    for name, values in apart.outputs.arrays().items():
        if not name.endswith("seconds"):
            np.testing.assert_array_equal(values, getattr(twins.unlearned.outputs, name), name)
    np.testing.assert_array_equal(
        apart.learning.before.forget_confidence, twins.reference.floor.outputs.forget_confidence
    )
    retrained = pools.of(twins.submission).retrained(MODELS)
    expected = twins.reference.retrained.forget_confidence[:MODELS]
    np.testing.assert_array_equal(retrained.forget_confidence, expected)


def test_killed_while_it_learns_or_unlearns_it_gives_the_same_bits(twins, tmp_path):
    pools = quiet_pools(tmp_path, digits_briefly(), "processes", 2)
    done, met, killed = threading.Event(), [], []

    def kill_runs():
        moments = np.random.default_rng(0)
        while not done.is_set():
            time.sleep(0.01)
            with suppress(psutil.NoSuchProcess, StopIteration):
                server = next(one for one in psutil.Process().children() if "forkserver" in str(one.cmdline()))
                runs = [run for keeper in server.children() for run in keeper.children() if run.pid not in met]
                for one in runs:
                    met.append(one.pid)
                    # Not the same one three times, which would be the submission's fault.
                    if len(met) % 3 == 1:
                        time.sleep(moments.uniform(0, 0.4))
                        one.send_signal(signal.SIGKILL)
                        killed.append(one.pid)

    killer = threading.Thread(target=kill_runs)
    killer.start()
    try:
        outputs = pools.of(twins.submission).unlearned(twins.submission, MODELS).outputs
    finally:
        done.set()
        killer.join()
    assert len(killed) >= 3
    np.testing.assert_array_equal(outputs.forget_confidence, twins.unlearned.outputs.forget_confidence)


LATE = """
import gc
import torch

def learning(net, train, val):
    examples = train.dataset
    assert (examples.image_id.diff() > 0).all(), "their order tells what is to be forgotten"
    sets = [one for one in gc.get_objects() if type(one) is type(examples)]
    assert {len(one) for one in sets} <= {0, len(examples), len(val.dataset), 1437}
    return net

def unlearning(net, retain, forget, val):
    known = {len(one) for one in (retain.dataset, forget.dataset, val.dataset)}
    inputs = [one for one in gc.get_objects() if isinstance(one, torch.Tensor) and one.shape[1:] == (1, 8, 8)]
    assert {len(one) for one in inputs} <= known | {len(retain.dataset) + len(forget.dataset)}
    return net
"""


def test_learning_does_not_see_the_request_and_unlearning_not_the_test_set(shared, written):
    pools = quiet_pools(shared, digits_briefly(), "processes", 1)
    submission = read(written(LATE))
    assert len(pools.of(submission).unlearned(submission, 1).outputs) == 1


def test_a_learner_that_ignores_the_data_scores_next_to_nothing(pools, written):
    guessing = """
    import torch

    class Guessing(torch.nn.Module):
        def __init__(self, net):
            super().__init__()
            self.guess = torch.nn.Parameter(torch.randn(10))

        def forward(self, x):
            return self.guess.expand(len(x), 10)

    def learning(net, train, val):
        return Guessing(net)

    def unlearning(net, retain, forget, val):
        return net
    """
    result = run.run(written(textwrap.dedent(guessing)), pools, 16)
    assert result.unlearned.score.forgetting_quality > 0.1, "by its own pool it forgets as well as can be"
    assert result.unlearned.score.value < 0.02


SAME = "def unlearning(net, retain, forget, val):\n    return net\n"


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
        "`guarantee` or `details` cannot be used: a guarantee has noise_multiplier, sample_rate, steps, delta",
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
        "`guarantee` or `details` cannot be used: its detail a is not a number between -1e15 and 1e15",
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
        Told.from_bytes(HOSTILE[name].encode())


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


# Certificates.


EXACT = """
import torch
from torch import nn
from torch.nn.functional import cross_entropy

class Rows(nn.Module):
    def __init__(self, net, seed):
        super().__init__()
        self.net, self.seed = net, seed

    def forward(self, x):
        return self.net(x)

def fit(model, loader):
    found = [(batch[0], batch[1], batch["image_id"]) for batch in loader]
    inputs, targets, ids = (torch.cat(column) for column in zip(*found))
    order = ids.argsort()
    torch.manual_seed(model.seed)
    for module in model.net.modules():
        if hasattr(module, "reset_parameters"):
            module.reset_parameters()
    optimizer = torch.optim.SGD(model.net.parameters(), lr=0.1)
    for batch in order.split(256):
        optimizer.zero_grad()
        cross_entropy(model.net(inputs[batch]), targets[batch]).backward()
        optimizer.step()
    return model

def learning(net, train, val):
    return fit(Rows(net, int(torch.randint(2**40, ()))), train)

def unlearning(net, retain, forget, val):
    return fit(net, retain)
"""

BY_CHANCE = EXACT.replace(
    "    return fit(net, retain)", "    net.seed = int(torch.randint(2**40, ()))\n    return fit(net, retain)"
)
REMEMBERS = EXACT.replace(
    "    return fit(net, retain)", "    net.gone = next(iter(forget))['image_id']\n    return fit(net, retain)"
)
HIDES = EXACT.replace(
    "    return fit(net, retain)",
    "    fit(net, retain)\n    Rows.forward = lambda self, x: self.net(x) + 1e-3\n    return net",
)


@pytest.mark.parametrize("backend", ["serial", "processes"])
def test_an_exact_method_is_certified_and_the_report_shows_it(shared, written, backend):
    pools = quiet_pools(shared, digits_briefly(), backend, 2)
    path = written(EXACT)
    certificate = run.certify(path, pools)
    assert str(certificate) == "exact: equal bits for 8 seeds × 4 requests"
    assert certificate.requests == ("the task's", "random examples", "another person's", "two in sequence")
    if backend == "serial":
        record = record_of(run.run(path, pools, MODELS))
        assert record.certificate.exact
        assert record.certificate.seeds == 8
        assert any("true forgetting quality equals the ceiling's" in note for note in record.notes)


def test_without_a_certificate_the_report_claims_none(twins):
    assert record_of(twins).certificate is None


UNLEARN = "    return fit(net, retain)"


def keeping(line):
    """An exact method that also keeps something of the examples that it learned from."""
    learned = "    return fit(Rows(net, int(torch.randint(2**40, ()))), train)"
    assert learned in EXACT
    kept = "@dataclasses.dataclass\nclass Kept:\n    number: int\n"
    more = f"""    model = fit(Rows(net, int(torch.randint(2**40, ()))), train)
    ids = torch.cat([batch["image_id"] for batch in train]).sort()[0]
    {line}
    return model"""
    return f"import dataclasses\n{EXACT}".replace(learned, more).replace("class Rows", f"{kept}\nclass Rows", 1)


def compared(written, source):
    """What the first pair of a certificate says."""
    setting = Setting(digits_briefly(), "cpu", 0, own=read(written(source)))
    job = CertificateJob(setting, "unlearned", limit=60, isolated=False)
    return job.certificate({0: job.prepare()(0)})


KEPT = {
    "an attribute whose name begins like details": ("model.details_ids = ids", "details_ids"),
    "an attribute of a data class": ("model.kept = Kept(1); model.kept.ids = ids", r"kept\['ids'\]"),
    "a default argument": ("exec('def seen(x=ids): return x', {'ids': ids}, vars(model))", r"seen\(\)\[0\]\[0\]"),
    "an attribute of a weight": ("model.net.fc.bias.seen = ids", "net.fc.bias.seen"),
    "the rest of a storage": ("model.sample = ids[:1]", "sample.storage"),
}


@pytest.mark.parametrize("name", KEPT)
def test_what_a_method_keeps_anywhere_in_its_model_is_compared(name, written):
    line, path = KEPT[name]
    certificate = compared(written, keeping(line))
    assert certificate.difference
    assert re.search(f"“the task's”, (only the unlearned model has )?{path}", certificate.difference)


def test_gradients_that_are_left_are_compared(written):
    source = EXACT.replace(UNLEARN, "    model = fit(net, retain)\n    model.net.fc.bias.grad += 1\n    return model")
    assert "net.fc.bias.grad differs in 10 of 10 values" in compared(written, source).difference


INCOMPARABLE = {
    "hooks": ("model.net.register_forward_hook(lambda module, inputs, out: out)", "the model's net has hooks"),
    "an iterator": ("model.it = iter([1])", "the model's it is a list_iterator"),
    "a tensor without values": (
        "model.it = torch.empty(3, device='meta')",
        "the model's it is a tensor that cannot be",
    ),
    "a sparse tensor": ("model.it = torch.eye(3).to_sparse()", "the model's it is a tensor that cannot be compared"),
    "a closure": ("model.it = (lambda x: lambda: x)(ids)", "the model's it is a function"),
}


@pytest.mark.parametrize("name", INCOMPARABLE)
def test_what_cannot_be_compared_is_refused_but_can_be_scored(name, written, shared):
    line, sentence = INCOMPARABLE[name]
    # What cannot be copied cannot be scored either, and is another test's.
    source = keeping(line)
    with pytest.raises(SubmissionError, match=sentence):
        compared(written, source)
    submission = read(written(source))
    pools = quiet_pools(shared, digits_briefly())
    assert len(pools.of(submission).unlearned(submission, 1).outputs) == 1


ODD = {
    "shared constants": ("model.a = (1, 2); model.b = (1, 2)", "net.b = tuple([1, 2])"),
    "many numbers": ("model.numbers = list(range(100_000))", "pass"),
    "long names": ("model.by_ids = {tuple(range(300)): torch.zeros(1)}", "pass"),
    "rare types": ("model.a = torch.fft.fft(torch.ones(4)); model.b = torch.ones(2).to(torch.float8_e4m3fn)", "pass"),
    "a class that returns nothing from eval": ("type(model).eval = lambda self: self.train(False) and None", "pass"),
}


@pytest.mark.parametrize("name", ODD)
def test_an_exact_method_may_hold_odd_things(name, written):
    line, later = ODD[name]
    certificate = compared(written, keeping(line).replace(UNLEARN, f"    {later}\n{UNLEARN}"))
    assert certificate.exact, certificate.difference


def test_minus_zero_is_counted_as_a_difference():
    difference = first_difference({"a": np.zeros(2)}, {"a": np.array([0.0, -0.0])})
    assert difference == "a differs in 1 of 2 values"


DENIED = {
    "one that draws anew": (
        BY_CHANCE,
        "with seed 0 and request “the task's”, net.* differs in",
    ),
    "one that remembers": (REMEMBERS, "only the unlearned model has gone; gone still holds ids of forgotten examples"),
    "one that answers differently": (HIDES, "what it answers differs in"),
    "one that only adds noise": (TWINS, "with seed 0 and request “the task's”, networks.0.*differs in"),
}


@pytest.mark.parametrize("name", DENIED)
def test_a_method_that_is_not_exact_is_told_what_differs(pools, written, name):
    source, difference = DENIED[name]
    certificate = run.certify(written(source), pools)
    assert not certificate.exact
    assert re.search(difference, certificate.difference), certificate.difference


def test_without_learning_there_is_nothing_to_certify(pools, written):
    with pytest.raises(InputError, match=r"has no function learning\(net, train, val\). A certificate is about"):
        run.certify(written(SAME), pools)


def test_what_a_certificate_tries():
    task = tasks.load("digits")
    requests = requests_of(task)
    forget = set(task.forget.image_id.tolist())
    assert requests["the task's"] == (forget,)
    assert len(requests["random examples"][0]) == len(forget)
    (theirs,) = requests["another person's"]
    people = dict(zip(task.retain.image_id.tolist(), task.retain.person_id.tolist(), strict=True))
    (person,) = {people[one] for one in theirs}
    assert theirs == {one for one, whose in people.items() if whose == person}
    first, then = requests["two in sequence"]
    assert (first, len(then)) == (forget, len(forget))
    assert not first & then


# Requests for a part of a person's examples.


@pytest.mark.parametrize("size", [1, 5, 94])
def test_a_smaller_request_leaves_the_rest_in_retain(size):
    task = tasks.load("digits")
    asked = task.asking_for(size)
    assert asked.forget.image_id.tolist() == task.forget.image_id[:size].tolist()
    assert set(asked.train.image_id.tolist()) == set(task.train.image_id.tolist())
    assert (asked.theirs, asked.digest() == task.digest()) == (95, False)
    assert asked.title == f"digits (forgetting {size} of 95 examples)"


def test_a_request_for_everything_is_the_task_itself():
    task = tasks.load("digits")
    assert task.asking_for(95) is task


@pytest.mark.parametrize("size", [0, 96])
def test_a_request_that_is_too_large_or_empty_is_refused(size):
    with pytest.raises(InputError, match=f"Expected FORGET= from 1 to 95, all examples of the person; found {size}"):
        tasks.load("digits").asking_for(size)


def test_the_command_takes_it_and_the_report_says_it(kit, written, tmp_path):
    done = kit("score", written(SAME), "--forget", 5)
    assert done.exit_code == 0, done.output
    assert "mine on digits (forgetting 5 of 95 examples), 8 models per pool" in done.output
    record = json.loads((tmp_path / "report/report.json").read_text())
    assert record["request"] == {"examples": 5, "of": 95}


@pytest.mark.parametrize("value", ["0", "96", "all", "-1"])
def test_a_wrong_request_is_said_on_the_command_line(kit, written, value):
    done = kit("score", written(SAME), "--forget", value)
    assert done.exit_code != 0
    assert "forget" in done.output.lower()
    assert "Traceback" not in done.output


# Guarantees and audits.


NOISY = """
import torch
from torch.nn.functional import cross_entropy

NOISE, CLAIMED, STEPS, CLIP = {noise}, {claimed}, 20, 1.0

def learning(net, train, val):
    '''Gradient descent on all examples, each gradient clipped, with noise.'''
    inputs, targets = (torch.cat(column) for column in zip(*train))
    with torch.no_grad():
        weight = torch.zeros(2, inputs.shape[1])
        for _ in range(STEPS):
            wrong = (inputs @ weight.T).softmax(dim=1) - torch.eye(2)[targets]
            each = wrong[:, :, None] * inputs[:, None, :]
            norms = each.flatten(1).norm(dim=1)
            clipped = each * (CLIP / norms).clamp(max=1)[:, None, None]
            weight -= 0.3 * (clipped.sum(dim=0) + NOISE * CLIP * torch.randn_like(weight))
        net.weight.copy_(weight)
        net.bias.zero_()
    net.guarantee = dict(noise_multiplier=CLAIMED, sample_rate=1, steps=STEPS, delta=1e-5)
    return net

def unlearning(net, retain, forget, val):
    return net
"""


def promised(tmp_path, noise, claimed, models):
    path = tmp_path / "mine.py"
    path.write_text(NOISY.format(noise=noise, claimed=claimed))
    return run.run(path, quiet_pools(tmp_path / "store", canary_task()), models)


@pytest.mark.parametrize("noise", [17.0, 6.0])
def test_an_honest_guarantee_is_not_contradicted(tmp_path, noise):
    result = promised(tmp_path, noise, noise, 128)
    assert result.promise.proved <= result.promise.epsilon
    assert not result.promise.contradicted


def test_a_guarantee_whose_noise_is_missing_is_contradicted_in_red(tmp_path):
    result = promised(tmp_path, 0.5, 17.0, 512)
    assert result.promise.epsilon < 1.5
    assert result.promise.proved > 3, "4.2 is the most that 512 models can show"
    record = record_of(result)
    assert record.guarantee.contradicted
    (note,) = [note for note in record.notes if note.startswith("Guarantee contradicted")]
    assert f"the submission claims epsilon {result.promise.epsilon:.2f}" in note


def test_a_guarantee_from_another_reference_is_shown_and_not_tried(tmp_path):
    path = tmp_path / "mine.py"
    source = NOISY.format(noise=0.5, claimed=17.0).replace("delta=1e-5)", "delta=1e-5, reference='any other start')")
    path.write_text(source)
    record = record_of(run.run(path, quiet_pools(tmp_path / "store", canary_task()), 64))
    assert (record.guarantee.proved, record.guarantee.contradicted) == (None, False)
    assert any("relative to any other start, not to retrained models" in note for note in record.notes)


def test_the_audit_in_the_report_is_that_of_its_outputs(twins):
    audit = audit_epsilon(twins.unlearned.outputs.forget_confidence, twins.reference.retrained.forget_confidence)
    record = record_of(twins)
    assert record.audit.examples == audit.tolist()
    assert record.audit.largest == audit.max()


# The submissions.


@pytest.mark.parametrize("name", ["sisa", "merge_shards"])
def test_the_exact_submissions_are_exact(name):
    path = ROOT / f"submissions/{name}.py"
    briefly = path.read_text().replace("\nEPOCHS = 10\n", "\nEPOCHS = 2\n")
    setting = Setting(tasks.load("digits"), "cpu", 0, own=Submission(path, briefly))
    job = CertificateJob(setting, "unlearned", limit=60, isolated=False)
    rows = {index: job.prepare()(index) for index in range(len(job.requests))}
    assert str(job.certificate(rows)) == "exact: equal bits for 1 seeds × 4 requests"


def test_sisa_trains_no_slice_that_comes_before_the_request():
    sisa = runpy.run_path(str(ROOT / "submissions/sisa.py"))
    task = tasks.load("digits")
    torch.manual_seed(0)
    model = sisa["learning"](task.network(), ExampleLoader(task.train), ExampleLoader(task.validation))
    last = next(one for one in range(len(task.train)) if sisa["bucket"](4, int(task.train.image_id[one])) == 3)
    mask = torch.arange(len(task.train)) == last
    forget, retain = (Examples(*(column[part] for column in task.train.columns)) for part in (mask, ~mask))
    trained = []
    original = torch.optim.SGD.step

    def counting(self, *rest):
        trained.append(1)
        return original(self, *rest)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.optim.SGD, "step", counting)
        loaders = [ExampleLoader(examples) for examples in (retain, forget, task.validation)]
        unlearned = sisa["unlearning"](model, *loaders)
    assert unlearned.details == {"shards touched": 1, "slices touched": 1}
    shard = int(task.train.person_id[last]) % 5
    assert len(trained) == 4 * -(-(unlearned.sizes[shard]) // 64), "four epochs of one shard"


@pytest.mark.filterwarnings("ignore:Optimal order is the largest alpha")
@pytest.mark.parametrize("epsilon", [1, 3, 8])
def test_the_noise_of_dp_sgd_is_what_its_epsilon_takes(epsilon):
    constants = runpy.run_path(str(ROOT / "submissions/dp_sgd.py"))
    accountant = PRVAccountant()
    noise = constants["NOISE_MULTIPLIERS"][epsilon]
    accountant.history = [(noise, constants["SAMPLE_RATE"], constants["STEPS"])]
    assert 0.97 * epsilon < accountant.get_epsilon(constants["DELTA"]) <= 1.001 * epsilon
    guarantee = Guarantee(noise, constants["SAMPLE_RATE"], constants["STEPS"], constants["DELTA"])
    assert guarantee.epsilon(1) == pytest.approx(epsilon, rel=0.03)


def test_batch_norm_under_dp_sgd_is_refused(shared, written):
    source = (ROOT / "submissions/dp_sgd.py").read_text()
    submission = read(written(source.replace("GradSampleModule(without_batch_norm(net))", "GradSampleModule(net)")))
    pools = quiet_pools(shared, digits_briefly())
    with pytest.raises(SubmissionError, match="BatchNorm"):
        pools.of(submission).unlearned(submission, 1)


def test_noisy_finetune_accounts_for_every_shift():
    """The distance of two starts that the same steps pull together and push apart as far as clipping allows."""
    noisy = runpy.run_path(str(ROOT / "submissions/noisy_finetune.py"))
    shrink, push = 1 - noisy["RATE"] * noisy["DECAY"], 2 * noisy["RATE"] * noisy["CLIP"]
    for steps in (1, 2, 42):
        worth = np.array([shrink ** (steps - step) for step in range(1, steps + 1)])
        total = noisy["sensitivity"](steps) * noisy["NOISE"]
        shifts = worth * total / np.sqrt((worth**2).sum())
        distance = 2 * noisy["NORM"]
        for shift in shifts:
            distance = shrink * distance + push - shift
            assert distance > -1e-12, "a shift may not be larger than the gap"
        assert distance == pytest.approx(0, abs=1e-12)
