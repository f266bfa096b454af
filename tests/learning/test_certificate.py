"""Certificates of exact unlearning: given, denied, or refused by name."""

import re

import numpy as np
import pytest

from scoring import run
from scoring.jobs.certificate import CertificateJob, requests_of
from scoring.jobs.setting import Setting
from scoring.judging.certificate import first_difference
from scoring.reports.recording import record_of
from scoring.untrusted.submission import read
from starter_kit import tasks
from starter_kit.errors import InputError, SubmissionError
from tests.conftest import quiet_pools
from tests.learning.sources import EXACT, MODELS, SAME, TWINS, digits_briefly

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


@pytest.mark.parametrize(
    ("source", "code", "said"), [(EXACT, 0, "mine is exact: equal bits"), (BY_CHANCE, 1, "not exact")]
)
def test_the_command_says_what_was_found_and_what_was_not_tried(invoke, written, store, source, code, said):
    done = invoke("certify", written(source), "--store", store, "--backend", "serial")
    assert done.exit_code == code, done.output
    assert said in done.output
    assert ("Not covered: other seeds and requests" in done.output) == (code == 0)
