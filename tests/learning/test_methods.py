"""The exact, merged and private submissions."""

import runpy
from pathlib import Path

import numpy as np
import pytest
import torch
from opacus.accountants import PRVAccountant

from scoring.jobs.certificate import CertificateJob
from scoring.jobs.setting import Setting
from scoring.learners.guarantee import Guarantee
from scoring.untrusted.submission import Submission, read
from starter_kit import tasks
from starter_kit.errors import SubmissionError
from starter_kit.examples import ExampleLoader, Examples
from tests.conftest import quiet_pools
from tests.learning.sources import digits_briefly

ROOT = Path(__file__).parents[2]


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
