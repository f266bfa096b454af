"""The whole flow for what the default task lacks: sequences of classes."""

import numpy as np
import pytest
import torch

from scoring import run
from scoring.jobs.evaluation import answer_of_one, answers
from scoring.reports import files
from scoring.reports.record import Report
from scoring.reports.recording import record_of
from starter_kit.answers import NOT_ASKED
from starter_kit.task_contract import shortfalls
from starter_kit.training import seed_everything, train
from tests.conftest import quiet_pools
from tests.toys import sequence_task

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
