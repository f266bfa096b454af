"""Guarantees of privacy, compared with what the models prove."""

import pytest

from scoring import run
from scoring.judging.audit import audit_epsilon
from scoring.reports.recording import record_of
from tests.conftest import quiet_pools
from tests.toys import canary_task

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


@pytest.mark.slow
def test_an_honest_guarantee_is_not_contradicted(tmp_path):
    result = promised(tmp_path, 17.0, 17.0, 512)
    assert result.promise.epsilon < 1.5
    assert result.promise.proved <= result.promise.epsilon
    assert not result.promise.contradicted


@pytest.mark.slow
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
    pools = twins.unlearned.outputs.forget_confidence, twins.reference.retrained.forget_confidence
    audit = audit_epsilon(*pools)
    record = record_of(twins)
    assert record.audit.examples == audit.tolist()
    together = audit_epsilon(*pools, simultaneous=True)
    assert record.audit.proved == together.max()
