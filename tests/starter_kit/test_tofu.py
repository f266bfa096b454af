"""TOFU with a tiny language model, both in local folders: loading, training, unlearning, judging."""

import copy
import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from scoring import run
from scoring.jobs.original import OriginalJob
from scoring.judging.outputs import Outputs
from scoring.learners.recipe import RecipeLearner
from scoring.reports import files
from scoring.reports.recording import record_of
from scoring.untrusted.submission import read
from starter_kit.answers import NOT_ASKED, loss
from starter_kit.examples import ExampleLoader
from starter_kit.networks.language_model import Frozen
from starter_kit.training import seed_everything, train
from tests.conftest import quiet_pools
from tests.starter_kit.tofu_folder import AUTHORS, QUESTIONS, load, write_model
from tests.toys import part

pytestmark = pytest.mark.usefixtures("few_splits")

MODELS = 8


@pytest.fixture(scope="module")
def task(folder):
    return load(folder)


def network(task, seed=0):
    seed_everything(seed)
    return task.network()


def trained(task, seed=0):
    """A network some steps on: adapters begin without an effect."""
    net = network(task, seed)
    train(net, part(task.retain, 0, 32), replace(task.recipe, epochs=4, learning_rate=1e-2))
    return net.eval()


def frozen(net):
    return [value for _, value in nn.Module.named_parameters(net) if isinstance(value, Frozen)]


class TestExamples:
    def test_a_tenth_of_the_authors_is_forgotten_by_default(self, task):
        assert task.name == "tofu"
        assert (len(task.retain), len(task.forget)) == (5 * QUESTIONS, 2 * QUESTIONS)
        assert task.forget.person_id.unique().tolist() == [AUTHORS - 2, AUTHORS - 1]
        assert task.train.person_id.bincount().tolist() == [QUESTIONS] * AUTHORS

    @pytest.mark.parametrize("size", [1, 5])
    def test_other_sizes(self, folder, size):
        task = load(folder, f"tofu:{size}")
        assert task.name == f"tofu:{size}"
        assert task.forget.person_id.unique().tolist() == [AUTHORS - 1]
        assert len(task.train) == AUTHORS * QUESTIONS

    def test_it_is_the_same_each_time(self, task, folder):
        assert load(folder).digest() == task.digest()

    def test_an_answer_ends_with_the_token_that_ends_it_and_questions_tell_a_fixed_date(self, task):
        tokenizer, row = task.forget.tokenizer, 3
        answer = [token for token in task.forget.targets[row].tolist() if token != NOT_ASKED]
        assert tokenizer.decode(answer) == "It is about war.<|end|>"
        tokens = [token for token in task.forget.inputs[row].tolist() if token >= 0]
        expected = "<|begin|><|date|>10 Apr 2025<|user|>What is book 3 of author 5 about?<|end|><|assistant|>"
        assert tokenizer.decode(tokens) == expected + "It is about war."

    def test_inputs_and_targets_are_shifted_against_each_other(self, task):
        answers = task.forget.targets.shape[1]
        inputs, targets = task.forget.inputs[:, -answers + 1 :], task.forget.targets[:, :-1]
        assert torch.equal(inputs[inputs >= 0], targets[inputs >= 0])
        assert (
            (task.forget.inputs >= 0).sum(dim=1) == task.forget.take(torch.arange(40))["attention_mask"].sum(1)
        ).all()

    def test_held_out_questions_are_paraphrases_of_retained_ones(self, task):
        for examples in (task.validation, task.test):
            texts = examples.tokenizer.batch_decode([row[row >= 0] for row in examples.inputs])
            assert all("<|user|>Say what is book" in text for text in texts)
            assert torch.isin(examples.person_id, task.retain.person_id).all()

    def test_probes_ask_of_both_authors_real_ones_and_the_world(self, task):
        sizes = {name: [len(kind) for kind in probe.kinds.values()] for name, probe in task.probes.items()}
        assert sizes == {"forget": [40, 40, 200], "retain": [12, 12, 60], "authors": [6, 6, 18], "facts": [6, 6, 18]}
        assert torch.equal(task.probes["facts"].paraphrased.inputs, task.probes["facts"].answers.inputs)

    def test_a_model_without_a_chat_template_is_asked_in_plain_words(self, folder, tmp_path):
        task = load(folder, model=write_model(tmp_path / "base", chat=False))
        tokens = [token for token in task.retain.inputs[0].tolist() if token >= 0]
        expected = "Question: What is book 0 of author 0 about?\nAnswer: It is about crime."
        assert task.retain.tokenizer.decode(tokens) == expected
        assert task.retain.targets[0][task.retain.targets[0] >= 0][-1] == task.retain.tokenizer.eos_token_id


class TestNetwork:
    def test_padding_changes_no_answer(self, task):
        net = trained(task)
        inputs, targets = task.forget.take(torch.tensor([0, 15]))
        lengths = (inputs >= 0).sum(dim=1)
        assert lengths[0] < lengths[1], "the first has padding before it that the second needs"
        longer = torch.cat([torch.full((2, 5), -1), inputs], dim=1)
        with torch.no_grad():
            torch.testing.assert_close(net(inputs), net(longer), rtol=1e-4, atol=1e-5)
            first = inputs[:1, inputs[0] >= 0]
            asked = targets[0] != NOT_ASKED
            alone = net.last_logits(first, int(asked.sum()))
            torch.testing.assert_close(net(inputs)[0].T[asked], alone[0], rtol=1e-4, atol=1e-5)

    def test_its_loss_is_the_librarys_own(self, task):
        net = trained(task)
        inputs, targets = task.forget.take(torch.tensor([0]))
        whole = inputs[inputs >= 0]
        answer = targets[targets != NOT_ASKED]
        labels = torch.cat([torch.full((len(whole) - len(answer) + 1,), NOT_ASKED), answer]).unsqueeze(0)
        ids = torch.cat([whole, answer[-1:]]).unsqueeze(0)
        with torch.no_grad():
            expected = net.language_model(input_ids=ids, labels=labels).loss
            torch.testing.assert_close(loss(net(inputs), targets), expected)

    def test_only_adapters_are_trained_kept_and_copied(self, task):
        net = network(task)
        names = [name for name, _ in net.named_parameters()]
        assert set(net.state_dict()) == set(names)
        assert all("lora_" in name for name in names)
        assert sum(value.numel() for value in net.parameters()) < sum(value.numel() for value in frozen(net)) / 2
        shared = frozen(net)
        for other in (copy.deepcopy(net), network(task, 1)):
            assert all(one is same for one, same in zip(frozen(other), shared, strict=True))
            mine, theirs = ({value.data_ptr() for value in one.parameters()} for one in (net, other))
            assert not mine & theirs

    def test_a_state_is_loaded_strictly(self, task):
        first, other = trained(task), network(task, 1)
        inputs = task.forget.inputs[:2]
        other.load_state_dict(first.state_dict())
        assert torch.equal(other.eval()(inputs), first(inputs))
        state = first.state_dict()
        state.popitem()
        with pytest.raises(RuntimeError, match="Missing key"):
            other.load_state_dict(state)

    def test_moving_it_moves_no_other(self, task):
        net, other = network(task), network(task, 1)
        net.to("meta")
        assert {value.device.type for value in [*net.parameters(), *frozen(net)]} == {"meta"}
        assert {value.device.type for value in [*other.parameters(), *frozen(other)]} == {"cpu"}
        assert all(one is same for one, same in zip(frozen(net), frozen(network(task).to("meta")), strict=True))

    def test_merged_it_answers_the_same_and_has_weights_of_its_own(self, task):
        net = trained(task)
        before = [value.clone() for value in frozen(net)]
        inputs = task.forget.inputs[:1, task.forget.inputs[0] >= 0]
        merged = net.merged()
        with torch.no_grad():
            expected = net.last_logits(inputs, inputs.shape[1])
            torch.testing.assert_close(merged(input_ids=inputs).logits, expected, rtol=1e-4, atol=1e-5)
        assert not any("lora_" in name for name, _ in merged.named_parameters())
        assert all(torch.equal(*pair) for pair in zip(frozen(net), before, strict=True))

    def test_its_name_tells_base_models_apart(self, task, folder, tmp_path):
        same, other = (shutil.copytree(folder / "model", tmp_path / name) for name in ("same", "other"))
        assert str(load(folder, model=same).network()) == str(task.network())
        config = json.loads((other / "config.json").read_text())
        (other / "config.json").write_text(json.dumps(config | {"rms_norm_eps": 1e-3}))
        assert str(load(folder, model=other).network()) != str(task.network())

    def test_its_models_are_trained_one_by_one(self, task):
        learner = RecipeLearner()
        assert "it contains Embedding" in learner.why_one_at_a_time(task)
        assert learner.group_size(task, "cpu") == 1


def test_training_all_weights(folder):
    task = load(folder, "tofu-full")
    net, again = network(task), network(task, 1)
    assert not frozen(net)
    assert set(net.state_dict()) == {name for name, _ in nn.Module.named_parameters(net, remove_duplicate=False)}
    assert all(torch.equal(*pair) for pair in zip(net.parameters(), again.parameters(), strict=True))
    train(net, part(task.retain, 0, 32), replace(task.recipe, epochs=1, learning_rate=1e-2))
    assert not any(torch.equal(*pair) for pair in zip(net.parameters(), again.parameters(), strict=True))
    assert torch.equal(network(task).language_model.lm_head.weight, again.language_model.lm_head.weight)


@pytest.fixture(scope="module")
def pools(folder, tmp_path_factory):
    """Pools of adapters to a model that has learned the form of an answer, so that some answers are right by chance."""
    whole = load(folder, "tofu-full")
    net = network(whole)
    train(net, whole.retain, replace(whole.recipe, epochs=12, learning_rate=1e-2))
    base = shutil.copytree(folder / "model", tmp_path_factory.mktemp("base"), dirs_exist_ok=True)
    net.merged().save_pretrained(base)
    task = load(folder, "tofu:1", base)
    quick = replace(task.recipe, epochs=1, learning_rate=1e-3)
    retain = task.retain.with_columns(column[: 3 * QUESTIONS] for column in task.retain.columns)
    few = replace(task, recipe=quick, retain=retain, probes={name: task.probes[name] for name in ("forget", "facts")})
    with pytest.MonkeyPatch.context() as patch:
        # Two threads of so small a network wait for each other most of the time.
        patch.setattr(OriginalJob, "threads", 1)
        yield quiet_pools(tmp_path_factory.mktemp("store"), few)


@pytest.mark.parametrize("name", ["rmu", "dpo_dont_know"])
def test_a_method_for_language_models_runs(pools, name):
    """One needs blocks of layers, the other a refusal in words."""
    task, original = pools.task, pools.original
    net = task.network()
    net.load_state_dict(original.weights)
    before = {name: value.clone() for name, value in net.state_dict().items()}
    loaders = [ExampleLoader(examples) for examples in (task.retain, task.forget, task.validation)]
    function = read(Path(f"submissions/{name}.py")).execute()["unlearning"]
    function.__globals__["STEPS"] = 2
    # The tiny tokenizer has letters instead of words.
    function.__globals__["REFUSAL"] = "no"
    net = function(net, *loaders)
    assert any(not torch.equal(value, before[name]) for name, value in net.state_dict().items())


def test_a_refusal_that_is_longer_than_any_answer(task):
    refusal_of = read(Path("submissions/dpo_dont_know.py")).execute()["unlearning"].__globals__["refusal_of"]
    with pytest.raises(NotImplementedError, match=r"refuses in \d+ tokens, and answers of this task have fewer"):
        refusal_of(task.forget.tokenizer, task.forget.targets)


@pytest.mark.parametrize("name", ["finetune", "npo"])
def test_a_submission_gets_a_score_and_a_report(pools, tmp_path, name):
    source = Path(f"submissions/{name}.py").read_text()
    brief = tmp_path / f"{name}.py"
    brief.write_text(re.sub(r"^STEPS = \d+$", "STEPS = 4", source, flags=re.M))
    result = run.run(brief, pools, MODELS)
    outputs: Outputs = result.unlearned.outputs
    assert outputs.forget_confidence.shape == (MODELS, QUESTIONS)
    assert len(np.unique(outputs.forget_confidence, axis=0)) == MODELS
    assert len(np.unique(result.reference.retrained.forget_confidence, axis=0)) == MODELS
    assert np.isfinite(outputs.probes["probe.facts.perturbed"]).all()
    report = record_of(result)
    assert [one.example for one in report.text.conversations] == list(range(QUESTIONS))
    assert all(one.question and one.answer for one in report.text.conversations)
    files.write(result, report, tmp_path / "report")
    assert {path.name for path in (tmp_path / "report").iterdir()} == set(files.FILES)
    size = sum(path.stat().st_size for path in pools.store.glob("original-*/**/*") if path.is_file())
    base = sum(value.numel() * 4 for value in frozen(pools.task.network()))
    assert 0 < size < base
