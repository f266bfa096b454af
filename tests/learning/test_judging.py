"""How models of a submission that brings its own learning are made and judged."""

import io
import signal
import textwrap
import threading
import time
from contextlib import suppress
from dataclasses import replace

import numpy as np
import psutil
import pytest
from rich.console import Console

from scoring import run
from scoring.reports.recording import record_of
from scoring.reports.table import table
from scoring.running.pools import Pools
from scoring.untrusted.submission import read
from starter_kit.errors import SubmissionError
from tests.conftest import quiet_pools
from tests.learning.sources import MODELS, TWINS, digits_briefly


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


def test_without_isolation_the_tasks_pool_is_made_before_the_submission_runs_here(tmp_path, written, monkeypatch):
    made = []
    original = Pools._fill

    def noting(self, name, *rest, **options):
        made.append(name)
        return original(self, name, *rest, **options)

    monkeypatch.setattr(Pools, "_fill", noting)
    run.run(written(TWINS), quiet_pools(tmp_path, digits_briefly()), MODELS)
    assert made.index("retrained") < min(place for place, name in enumerate(made) if name.startswith("mine"))


def test_it_has_more_time_and_an_error_says_how_much(tmp_path, written):
    slow = TWINS.replace("    model = Twins", "    import time\n    time.sleep(30)\n    model = Twins", 1)
    submission = read(written(slow))
    pools = replace(quiet_pools(tmp_path, digits_briefly(), "processes"), limit=1.0).of(submission)
    with pytest.raises(SubmissionError, match=r"in run 0: it was stopped .*\(ten times for a submission"):
        pools.unlearned(submission, 1)
