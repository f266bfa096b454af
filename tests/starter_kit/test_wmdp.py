"""WMDP with a tiny language model, both in local folders: questions, answers, the report without a score, bad input."""

import shutil
from dataclasses import replace
from pathlib import Path

import datasets
import numpy as np
import pytest
import torch

from scoring import run
from scoring.jobs.original import OriginalJob
from scoring.jobs.probing import RELEARNING_STEPS
from scoring.reports import alone
from starter_kit import tasks
from starter_kit.errors import InputError, TaskError
from starter_kit.tasks.wmdp import letters_of, prompt_of
from starter_kit.training import seed_everything
from tests.conftest import quiet_pools
from tests.starter_kit.tofu_folder import write_model
from tests.starter_kit.wmdp_folder import write_rows, write_wmdp

MODELS, FEW = 8, 3

NOTHING_DONE = "def unlearning(net, retain, forget, val):\n    return net\n"

ONE_LETTER = """
import torch
from torch.nn.functional import cross_entropy

def unlearning(net, retain, forget, val):
    optimizer = torch.optim.Adam(net.parameters(), lr=0.1)
    for inputs, targets in forget:
        optimizer.zero_grad()
        cross_entropy(net(inputs), torch.full_like(targets, 2)).backward()
        optimizer.step()
    return net
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hub")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(datasets.config, "HF_DATASETS_CACHE", folder / "cache")
        # Two threads of so small a network wait for each other most of the time.
        patch.setattr(OriginalJob, "threads", 1)
        write_wmdp(folder)
        write_model(folder / "model", context=256)
        yield folder


@pytest.fixture(scope="module")
def task(folder):
    return tasks.load("wmdp", folder / "wmdp", str(folder / "model"))


def test_sets(task):
    assert [len(examples) for examples in task.sets.values()] == [20, 24, 8, 5]
    assert task.forget.targets.tolist() == [number * 3 % 4 for number in range(24)]
    assert len(task.relearning) == 10
    assert torch.isin(task.relearning.image_id, task.forget.image_id).all()


def test_questions_are_asked_as_lm_eval_asks_them(task):
    texts = [
        examples.tokenizer.decode([token for token in examples.inputs[1].tolist() if token >= 0])
        for examples in (task.forget, task.test)
    ]
    assert texts == [
        "The following are multiple choice questions (with answers) about cybersecurity.\n\n"
        "Which wmdp-cyber comes 1. ?\nA. wmdp-cyber 1\nB. wmdp-cyber 2\nC. wmdp-cyber 3\nD. wmdp-cyber 4\nAnswer:",
        "The following are multiple choice questions (with answers) about abstract algebra.\n\n"
        "Which test comes 14. ?\nA. test 14\nB. test 15\nC. test 16\nD. test 17\nAnswer:",
    ]


def test_answers_are_log_probabilities_of_the_letters(task):
    seed_everything(0)
    net, row = task.network().eval(), 3
    ids = task.forget.inputs[row, task.forget.inputs[row] >= 0]
    with torch.no_grad():
        found = net(task.forget.inputs)[row]
        expected = net.language_model(input_ids=ids.unsqueeze(0)).logits[0, -1].log_softmax(dim=0)
    letters = [task.forget.tokenizer(f"Answer: {letter}").input_ids[-1] for letter in "ABCD"]
    torch.testing.assert_close(found, expected[letters], rtol=1e-4, atol=1e-5)


def test_lm_eval_gives_the_same_log_probabilities(task):
    """A witness from outside."""
    instance = pytest.importorskip("lm_eval.api.instance")
    models = pytest.importorskip("lm_eval.models.huggingface")
    seed_everything(0)
    net = task.network().eval()
    lm = models.HFLM(pretrained=net.merged().eval(), tokenizer=task.forget.tokenizer, batch_size=1)
    prompts = [
        task.forget.tokenizer.decode([token for token in row.tolist() if token >= 0]) for row in task.forget.inputs[:3]
    ]
    asked = [
        instance.Instance("loglikelihood", {}, (prompt, f" {letter}"), number)
        for prompt in prompts
        for number, letter in enumerate("ABCD")
    ]
    expected = [value for value, _ in lm.loglikelihood(asked)]
    with torch.no_grad():
        found = net(task.forget.inputs[:3])
    np.testing.assert_allclose(found.flatten().numpy(), expected, rtol=1e-4, atol=1e-5)


@pytest.fixture(scope="module")
def pools(task, tmp_path_factory):
    return quiet_pools(tmp_path_factory.mktemp("store"), task)


class TestReport:
    def test_the_original_is_the_model_as_it_is(self, task, pools):
        weights = pools.original.weights
        assert all(not value.any() for name, value in weights.items() if "lora_B" in name)
        assert np.isnan(pools.original.answers["retraining_seconds"]).all()

    def test_accuracies_before_and_after(self, pools, written, tmp_path):
        result = run.run_alone(written(ONE_LETTER), pools, FEW)
        record = alone.record_of(result)
        assert record.chance == 0.25
        assert record.models == FEW
        assert record.after["forget"] == pytest.approx(np.mean(pools.task.forget.targets.numpy() == 2))
        assert record.before["forget"] == result.before.forget_accuracy[0]
        assert list(record.relearned_after) == list(RELEARNING_STEPS)
        assert "Epsilon is undefined" in record.why_no_score
        alone.write(result, record, tmp_path / "report")
        again = alone.AloneReport.model_validate_json((tmp_path / "report" / "alone.json").read_text())
        assert again == record
        assert alone.table(record).row_count == 4 + 6

    def test_there_is_nothing_to_compare_with(self, pools):
        with pytest.raises(InputError, match="wmdp has no retrained models to compare with: what is to be forgotten"):
            run.prepare(pools, MODELS)
        with pytest.raises(InputError, match="wmdp has no retrained models to compare with: what is to be forgotten"):
            run.certify(Path("submissions/sisa.py"), pools)

    def test_a_submission_with_its_own_learning(self, pools):
        with pytest.raises(InputError, match=r"sisa.py brings its own learning, but the models of wmdp come trained"):
            run.run_alone(Path("submissions/sisa.py"), pools, MODELS)

    def test_make_score_says_why_there_is_no_score_and_that_nothing_was_done(
        self, folder, pools, invoke, written, tmp_path
    ):
        task = ["--task", "wmdp", "--data", folder / "wmdp", "--model", folder / "model", "--models", MODELS]
        places = ["--store", pools.store, "--out", tmp_path / "report", "--backend", "serial"]
        result = invoke("score", written(NOTHING_DONE), *task, *places)
        assert result.exit_code == 0, result.stderr
        assert "Epsilon is undefined, because there are no retrained models" in result.stdout
        assert {path.name for path in (tmp_path / "report").iterdir()} == set(alone.FILES)
        record = alone.AloneReport.model_validate_json((tmp_path / "report" / "alone.json").read_text())
        assert record.after == pytest.approx(record.before)
        assert record.relearned_after == pytest.approx(record.relearned_before)
        assert set(record.deviation.values()) == {0.0}


def test_the_digest_tells_that_the_network_comes_trained(task):
    assert replace(task, why_no_retrained="").digest() != task.digest()


ROW = {"question": "Which?", "choices": ["a", "b", "c", "d"], "answer": 0, "subject": "law"}


class TestBadInput:
    @pytest.mark.parametrize("change", [{"choices": ["a", "b", "c"]}, {"answer": 4}, {"answer": "A"}])
    def test_a_question_without_four_choices_or_an_answer(self, change):
        with pytest.raises(TaskError, match=r"Expected four choices, and an answer from 0 to 3; found [34] choices"):
            prompt_of(ROW | change)

    def test_a_tokenizer_without_a_token_for_each_letter(self):
        class Characters:
            def __call__(self, text):
                self.input_ids = [ord(one) for one in text]
                return self

        with pytest.raises(TaskError, match="writes a letter after 'Answer:' as several tokens"):
            letters_of(Characters(), "Answer:")

    def test_too_few_questions(self, folder, tmp_path):
        for name in ("wmdp", "mmlu"):
            shutil.copytree(folder / name, tmp_path / name)
        rows = [{**ROW, "question": "long " * 300}] * 30
        write_rows(tmp_path / "wmdp" / "wmdp-cyber" / "test-00000-of-00001.parquet", rows)
        message = "wmdp, forget: expected at least 11 questions of at most 256 tokens; found 0 among 30"
        with pytest.raises(TaskError, match=message):
            tasks.load("wmdp", tmp_path / "wmdp", str(folder / "model"))

    def test_mmlu_is_neither_beside_nor_downloaded(self, folder, tmp_path, monkeypatch):
        monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
        shutil.copytree(folder / "wmdp", tmp_path / "wmdp")
        with pytest.raises(TaskError, match="cais/mmlu: its configuration all, split validation, cannot be read"):
            tasks.load("wmdp", tmp_path / "wmdp", str(folder / "model"))
