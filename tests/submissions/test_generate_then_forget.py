"""A request in words: the model writes the examples, and the judge knows which are true."""

import copy
from pathlib import Path

import numpy as np
import pytest
import torch

from scoring.jobs.original import Original
from scoring.jobs.setting import Setting
from scoring.jobs.unlearned import UnlearnedJob
from scoring.learners.recipe import RecipeLearner
from scoring.running.unlearned import Unlearned
from scoring.untrusted.model_info import info_of
from scoring.untrusted.submission import read
from starter_kit import tasks
from starter_kit.errors import SubmissionError
from starter_kit.examples import ExampleLoader

CONCEPT = tasks.load("authors-concept")
SUBMISSION = read(Path("submissions/generate_then_forget.py"))


@pytest.fixture(scope="module")
def original():
    return RecipeLearner().learn(CONCEPT, CONCEPT.train, seed=0)


def unlearned(net, forget=CONCEPT.forget_as_given):
    torch.manual_seed(0)
    net = copy.deepcopy(net).train()
    loaders = [ExampleLoader(examples) for examples in (CONCEPT.retain, forget, CONCEPT.validation)]
    return SUBMISSION.execute()["unlearning"](net, *loaders)


def pool(infos):
    return Unlearned(None, tuple(infos), None)


def test_it_finds_what_is_to_be_forgotten_and_forgets_it(original):
    net = unlearned(original)
    wrote = set(net.generated)
    assert len(wrote & CONCEPT.described) >= 40, "of 48"
    assert len(wrote - CONCEPT.truths) <= 0.2 * len(wrote)

    def right(model, examples):
        with torch.no_grad():
            last = model.eval()(examples.inputs).argmax(dim=1)[:, -CONCEPT.judged :]
        targets = examples.targets[:, -CONCEPT.judged :]
        return ((last == targets) | (targets < 0)).all(dim=1).double().mean()

    assert right(original, CONCEPT.forget) > 0.95
    assert right(net, CONCEPT.forget) < 0.4
    assert right(net, CONCEPT.retain) > 0.9


def test_the_names_come_from_the_request():
    module = SUBMISSION.execute()["unlearning"].__globals__
    assert module["requested"]("Forget everything about Jola Dornque -owen , Ludra Thalgil -ara .") == [
        "Jola Dornque -owen",
        "Ludra Thalgil -ara",
    ]


def test_a_model_that_writes_nothing_of_use_is_left_alone():
    torch.manual_seed(1)
    net = CONCEPT.network()
    before = copy.deepcopy(net.state_dict())
    after = unlearned(net)
    if not after.generated:
        assert all(torch.equal(value, before[name]) for name, value in after.state_dict().items())
    assert len(set(after.generated) & CONCEPT.described) <= 2


def test_the_report_counts_what_was_found_and_what_is_wrong():
    true = sorted(CONCEPT.described)[:12]
    lie = ("what is this ?", "a lie")
    networks = []
    for generated in (true, [*true, lie]):
        net = CONCEPT.network()
        net.generated = generated
        networks.append(info_of(net))
    found = pool(networks).generated(CONCEPT)
    assert found.examples == 12.5
    assert found.found == pytest.approx(12 / 48)
    assert found.wrong == pytest.approx(np.mean([0, 1 / 13]))
    assert pool(networks).generated(tasks.load("authors")) is None


def test_a_method_that_needs_examples_learns_where_the_request_is(original, tmp_path):
    path = tmp_path / "mine.py"
    path.write_text("def unlearning(net, retain, forget, val):\n    next(iter(forget))")
    job = UnlearnedJob(Setting(CONCEPT, "cpu", 0), read(path), Original(original.state_dict(), {}), 60, isolated=False)
    with pytest.raises(SubmissionError, match="StopIteration") as failed:
        job.prepare()(0)
    assert any("forget.dataset.request" in note for note in failed.value.__notes__)
