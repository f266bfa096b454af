"""The whole flow for what the default task lacks: sequences of classes, and learners that submissions bring."""

import io
import textwrap
from dataclasses import replace

import numpy as np
import pytest
import torch
from rich.console import Console

from scoring import run
from scoring.jobs.evaluation import answer_of_one, answers
from scoring.jobs.setting import Setting
from scoring.reports import files
from scoring.reports.record import Report, record_of
from scoring.reports.table import table
from scoring.running import backends
from scoring.running.pools import Pools
from scoring.running.progress import Progress
from starter_kit import tasks
from starter_kit.answers import NOT_ASKED
from starter_kit.errors import InputError
from starter_kit.task_contract import shortfalls
from starter_kit.training import seed_everything, train
from tests.conftest import make_pools
from tests.toys import TwinLearner, sequence_task

MODELS = 8

FINETUNE = """
import torch
from torch.nn.functional import cross_entropy

def unlearning(net, retain, forget, val):
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
    for inputs, targets in retain:
        optimizer.zero_grad()
        cross_entropy(net(inputs), targets).backward()
        optimizer.step()
    return net
"""


def quiet_pools(store, task, **changes):
    setting = replace(Setting(task, "cpu", 0), **changes)
    return Pools(setting, store, backends.load("serial"), 1, Progress(Console(quiet=True)))


@pytest.fixture(scope="module")
def sequences(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sequences")
    (folder / "mine.py").write_text(FINETUNE)
    pools = quiet_pools(folder / "store", sequence_task())
    return run.run(folder / "mine.py", pools, MODELS)


def test_the_sequence_task_fulfils_the_contract():
    assert shortfalls(sequence_task()) == []


def test_a_task_whose_answers_are_sequences_gets_a_score(sequences):
    outputs = sequences.unlearned.outputs
    assert outputs.forget_confidence.shape == (MODELS, 12)
    assert len(np.unique(outputs.forget_confidence, axis=0)) == MODELS
    assert 0.5 < outputs.retain_accuracy.mean() <= 1
    assert sequences.reference.ceiling.value > 0
    assert sequences.reference.floor.score.value == 0


def test_the_answers_are_those_of_a_model_trained_by_the_definition(sequences):
    task, outputs = sequence_task(), sequences.reference.retrained
    seed_everything(int(outputs.seeds[3]))
    net = task.network()
    train(net, task.retain, task.recipe)
    row = answers(task, answer_of_one(net))
    np.testing.assert_array_equal(outputs.forget_confidence[3], row["forget_confidence"][0])
    with torch.no_grad():
        right = net(task.test.inputs).argmax(dim=1) == task.test.targets
    exact = (right | (task.test.targets == NOT_ASKED)).all(dim=1).double().mean()
    assert outputs.test_accuracy[3] == exact


def test_its_report_is_written_and_read_again(sequences, tmp_path):
    record = record_of(sequences)
    files.write(sequences, record, tmp_path)
    assert Report.model_validate_json((tmp_path / "report.json").read_text()) == record
    assert (tmp_path / "report.png").stat().st_size > 10_000


def digits_briefly():
    task = tasks.load("digits")
    return replace(task, recipe=replace(task.recipe, epochs=2))


ADD_NOISE = """
import torch

def unlearning(net, retain, forget, val):
    for weight in net.parameters():
        weight.data += 0.01 * torch.randn_like(weight)
"""


@pytest.fixture(scope="module")
def twins(tmp_path_factory):
    folder = tmp_path_factory.mktemp("twins")
    (folder / "mine.py").write_text(ADD_NOISE)
    pools = quiet_pools(folder / "store", digits_briefly(), learner=TwinLearner())
    return run.run(folder / "mine.py", pools, MODELS)


def test_a_learner_of_ones_own_makes_an_original_for_each_model(twins):
    assert twins.reference.original is None
    floor = twins.reference.floor.outputs
    assert len(np.unique(floor.forget_confidence, axis=0)) == MODELS
    # A little noise on each of them: every unlearned model is close to the original with its own index.
    distance = np.abs(twins.unlearned.outputs.test_confidence[:, None] - floor.test_confidence[None]).mean(axis=2)
    assert (distance.argmin(axis=1) == np.arange(MODELS)).all()


def test_forgetting_is_held_against_its_own_pool_and_accuracy_against_the_tasks(twins):
    reference, score = twins.reference, twins.unlearned.score
    assert reference.retrained.identity != reference.accuracy.identity
    assert twins.unlearned.outputs.identity == reference.retrained.identity
    task_pool = make_pools(reference.pools.store).of_task()
    assert task_pool.setting.learner.name == "recipe"
    expected = twins.unlearned.outputs.test_accuracy.mean() / reference.accuracy.test_accuracy.mean()
    assert score.test_ratio == expected
    assert reference.accuracy.test_accuracy.mean() != reference.retrained.test_accuracy.mean()


def test_its_report_names_the_learner(twins):
    record = record_of(twins)
    assert record.run.learner == "twins"
    console = Console(width=100, file=io.StringIO())
    console.print(table(record))
    assert "ceiling" in console.file.getvalue()


def test_a_learner_that_ignores_the_data_scores_next_to_nothing(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text("def unlearning(net, retain, forget, val):\n    return net\n")
    guessing = TwinLearner(constant_answers=True)
    result = run.run(path, quiet_pools(tmp_path / "store", digits_briefly(), learner=guessing), 16)
    assert result.unlearned.score.forgetting_quality > 0.1, "by its own pool it forgets as well as can be"
    assert result.unlearned.score.value < 0.02


def test_checkpoints_have_no_learner(tmp_path):
    pools = quiet_pools(tmp_path / "store", digits_briefly(), learner=TwinLearner())
    with pytest.raises(InputError, match="Checkpoints can only be scored for a task's own recipe"):
        run.run_checkpoints(tmp_path, pools, MODELS)


def test_a_wrong_answer_shape_is_the_submissions_fault(tmp_path):
    path = tmp_path / "mine.py"
    source = """
    import torch

    class Transposed(torch.nn.Module):
        def __init__(self, net):
            super().__init__()
            self.net = net

        def forward(self, x):
            return self.net(x).unsqueeze(2).transpose(1, 2)

    def unlearning(net, retain, forget, val):
        return Transposed(net)
    """
    path.write_text(textwrap.dedent(source))
    pools = quiet_pools(tmp_path / "store", digits_briefly(), learner=TwinLearner())
    with pytest.raises(Exception, match=r"run 0: on the retain set the model answers with shape \[1024, 1, 10\]"):
        run.run(path, pools, MODELS)
