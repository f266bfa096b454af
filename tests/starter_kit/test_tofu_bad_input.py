"""What is wrong with a data set, a model or a connection is said in a sentence."""

import json
import shutil

import datasets
import huggingface_hub
import pytest

from starter_kit import extras, tasks
from starter_kit.errors import TaskError
from starter_kit.tasks import _hub
from tests.starter_kit.tofu_folder import load, write_model


@pytest.fixture
def copied(folder, tmp_path):
    """A folder of its own with both."""
    for name in ("tofu", "model"):
        shutil.copytree(folder / name, tmp_path / name)
    return tmp_path


@pytest.mark.parametrize("name", ["datasets", "transformers", "peft"])
def test_a_missing_package(folder, monkeypatch, name):
    def without(module):
        if module == name:
            raise ImportError(f"No module named {module!r}")
        return __import__(module)

    monkeypatch.setattr(_hub, "import_module", without)
    with pytest.raises(TaskError, match=f"This task needs the package {name}: ") as caught:
        load(folder)
    assert extras.how_to_install(name) in str(caught.value)


def test_without_a_connection(folder, monkeypatch, tmp_path):
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(TaskError, match="locuslab/TOFU: its configuration retain90, split train, cannot be read: "):
        tasks.load("tofu", model=str(folder / "model"))
    with pytest.raises(TaskError, match=r"The model 'meta-llama/Llama-3.2-1B-Instruct' is no folder here, and"):
        tasks.load("tofu", folder / "tofu")


def test_a_folder_that_does_not_exist(folder, tmp_path):
    with pytest.raises(TaskError, match=r"There is no folder .*nowhere. Expected locuslab/TOFU"):
        tasks.load("tofu", tmp_path / "nowhere", str(folder / "model"))


def test_a_folder_without_the_configuration(copied):
    (copied / "tofu" / "README.md").write_text('---\nconfigs:\n- config_name: full\n  data_files: "full.json"\n---\n')
    with pytest.raises(TaskError, match=r"configuration retain90, split train, cannot be read: .* Expected locuslab"):
        load(copied)


def test_a_folder_without_the_file(copied):
    (copied / "tofu" / "forget10_perturbed.json").unlink()
    with pytest.raises(TaskError, match="configuration forget10_perturbed, split train, cannot be read: "):
        load(copied)


@pytest.mark.parametrize(
    ("file", "change", "message"),
    [
        ("forget10", lambda row: {"question": row["question"]}, "the columns question, answer; answer is missing"),
        ("forget10", lambda row: row | {"answer": ""}, "forget10, row 0: answer is empty"),
        (
            "forget10_perturbed",
            lambda row: row | {"perturbed_answer": "no"},
            "TOFU, forget: expected a list of wrong answers in perturbed_answer; found something else",
        ),
        (
            "retain_perturbed",
            lambda row: row | {"question": "?"},
            "expected at least two questions that retain has",
        ),
        (
            "forget10_perturbed",
            lambda row: row | {"perturbed_answer": ["no"] * (1 + ("author 6" in row["question"]))},
            r"TOFU, forget: expected as many wrong answers to each question; found \[1, 2\]",
        ),
    ],
)
def test_rows_that_are_not_tofus(copied, file, change, message):
    path = copied / "tofu" / f"{file}.json"
    rows = [change(json.loads(line)) for line in path.read_text().splitlines()]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    with pytest.raises(TaskError, match=message):
        load(copied)


def test_authors_that_are_not_whole(copied):
    path = copied / "tofu" / "retain90.json"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[1:]))
    with pytest.raises(TaskError, match="retain90: expected 20 questions of each author; found 99 rows"):
        load(copied)


def test_a_size_that_tofu_does_not_have(folder):
    with pytest.raises(TaskError, match="tofu forgets 1, 5 or 10 percent of the authors, as in tofu:5; found 7"):
        load(folder, "tofu:7")


def test_an_answer_longer_than_the_context(folder, tmp_path):
    model = write_model(tmp_path / "short", context=30)
    with pytest.raises(TaskError, match=r"have 3\d tokens, and the model reads at most 30: 'Say what is book 0"):
        load(folder, model=model)


def test_a_chat_template_that_rewrites_the_question(copied):
    (copied / "model" / "chat_template.jinja").write_text("{{ messages | length }}{{ messages[-1]['content'] }}")
    with pytest.raises(TaskError, match="in another way once an answer follows"):
        load(copied)


def test_a_model_that_is_incomplete(copied):
    (copied / "model" / "model.safetensors").unlink()
    with pytest.raises(TaskError, match=r"is incomplete: expected config.json, \*.safetensors and a tokenizer"):
        load(copied)


def test_weights_that_are_damaged(copied):
    path = copied / "model" / "model.safetensors"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(TaskError, match=r"cannot be used: .*Expected a causal language model of transformers"):
        load(copied)


def test_a_tokenizer_that_cannot_be_read(copied):
    for path in (copied / "model").glob("tokenizer*"):
        path.unlink()
    with pytest.raises(TaskError, match="its tokenizer cannot be read"):
        load(copied)


def test_a_tokenizer_without_an_end(copied):
    (copied / "model" / "chat_template.jinja").unlink()
    path = copied / "model" / "tokenizer_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"eos_token": None}))
    with pytest.raises(TaskError, match="expected a tokenizer with a chat template or an end of text"):
        load(copied)


def test_a_model_for_a_task_that_takes_none():
    with pytest.raises(TaskError, match="The task digits starts from no other model, so MODEL=x would be ignored"):
        tasks.load("digits", model="x")
