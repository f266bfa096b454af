"""Every task that is found, and loading one by its name."""

import inspect
import re
import sys
from dataclasses import replace
from importlib import import_module

import pytest
import torch

from scoring.jobs.evaluation import answer_of_one, answers
from starter_kit import tasks
from starter_kit.errors import TaskError
from starter_kit.training import seed_everything, train
from tests.starter_kit.test_task_contract import TOY
from tests.toys import part

DIGESTS = {
    "digits": "a8d50bd1b3ab46296a4a479981dd0112111e36a7526f7d3581f59c5898e35f33",
    "faces:600": "894cf6af714a1dbd9ea75b148891f8b49e50c0039449ab8cb0f0503854a0e7bf",
}
"""Digests are the same on every machine. A different one means that scores are no longer comparable."""


@pytest.fixture(scope="module", params=tasks.names())
def task(request):
    """Each task that is found, at its smallest size."""
    module = import_module(f"starter_kit.tasks.{request.param}")
    takes = inspect.signature(module.task).parameters
    if "data" in takes and not any(takes["data"].default.glob("*")):
        pytest.skip(f"its data are not in {takes['data'].default}; tests on synthetic data are in files of their own")
    return tasks.load(f"{request.param}:{module.SMALLEST}" if hasattr(module, "SMALLEST") else request.param)


class TestEveryTask:
    """`load` has checked the contract already."""

    def test_it_is_the_same_each_time(self, task):
        assert tasks.load(task.name).digest() == task.digest()

    def test_its_network_can_be_trained_by_its_recipe(self, task):
        seed_everything(0)
        net = task.network()
        before = [weight.clone() for weight in net.parameters()]
        train(net, part(task.retain, 0, 16), replace(task.recipe, epochs=1))
        after = list(net.parameters())
        assert all(torch.isfinite(weight).all() for weight in after)
        assert not all(torch.equal(*pair) for pair in zip(before, after, strict=True))

    def test_its_models_can_be_judged(self, task):
        some = {name: part(examples, 0, 4) for name, examples in task.sets.items()}
        row = answers(replace(task, **some), answer_of_one(task.network()))
        assert row["forget_confidence"].shape == (1, min(4, len(task.forget)))
        assert 0 <= row["test_accuracy"][0] <= 1


@pytest.mark.parametrize("name", DIGESTS)
def test_the_examples_never_change(name):
    assert tasks.load(name).digest() == DIGESTS[name]


@pytest.fixture
def write_task(tmp_path, monkeypatch):
    """Add a task file for the duration of a test."""
    monkeypatch.setattr(tasks, "__path__", [str(tmp_path), *tasks.__path__])
    written = []

    def write(name, source):
        written.append(name)
        (tmp_path / f"{name}.py").write_text(source)

    yield write
    for name in written:
        sys.modules.pop(f"starter_kit.tasks.{name}", None)


TOY_FILE = """
from dataclasses import replace
from tests.starter_kit.test_task_contract import TOY

def task(size=22):
    return replace(TOY, name={name})
"""


class TestLoading:
    def test_a_new_file_is_a_new_task(self, write_task):
        write_task("toy_sized", TOY_FILE.format(name="'toy_sized' if size == 22 else f'toy_sized:{size}'"))
        assert "toy_sized" in tasks.names()
        for name, expected in {
            "toy_sized": "toy_sized",
            "toy_sized:22": "toy_sized",
            "toy_sized:7": "toy_sized:7",
        }.items():
            task = tasks.load(name)
            assert task.name == expected
            assert task.module == "starter_kit.tasks.toy_sized"
            assert task.digest() == replace(TOY, name=expected).digest()

    def test_shortfalls_are_listed_by_line(self, write_task):
        write_task("toy_unsized", TOY_FILE.format(name="'toy'"))
        expected = (
            "The task toy_unsized:7 does not fulfil its contract:\n"
            "- name: expected 'toy_unsized:7' (the file's name, then any size but the default), found 'toy'."
        )
        with pytest.raises(TaskError, match=f"^{re.escape(expected)}$"):
            tasks.load("toy_unsized:7")

    @pytest.mark.parametrize(
        ("source", "message"),
        [
            ("", "defines no task. Expected a function task() that returns a Task."),
            ("def task(): pass", "expected task() to return a Task, found NoneType."),
        ],
    )
    def test_a_file_that_makes_no_task(self, write_task, source, message):
        write_task("toy_empty", source)
        with pytest.raises(TaskError, match=re.escape(message)):
            tasks.load("toy_empty")

    @pytest.mark.parametrize(
        ("name", "message"),
        [
            ("digit", "There is no task 'digit'. Did you mean 'digits'?"),
            ("face:600", "There is no task 'face'. Did you mean 'faces'?"),
            ("%", f"There is no task '%'. Tasks: {', '.join(tasks.names())}."),
            ("digits:5", "The task digits has one size only: name it without ':5'."),
            ("faces:few", "Expected a task's size as a whole number, as in faces:600; found 'faces:few'."),
            ("faces:", "Expected a task's size as a whole number, as in faces:600; found 'faces:'."),
            ("faces:-1", "Expected a task's size as a whole number, as in faces:600; found 'faces:-1'."),
            ("faces:1e3", "Expected a task's size as a whole number, as in faces:600; found 'faces:1e3'."),
            ("faces: 600", "Expected a task's size as a whole number, as in faces:600; found 'faces: 600'."),
            ("faces:600:1", "Expected a task's size as a whole number, as in faces:600; found 'faces:600:1'."),
            ("faces:٦٠٠", "Expected a task's size as a whole number, as in faces:600; found 'faces:٦٠٠'."),
            ("faces:6_00", "Expected a task's size as a whole number, as in faces:600; found 'faces:6_00'."),
            ("faces:\x1b[31m", r"Expected a task's size as a whole number, as in faces:600; found 'faces:\x1b[31m'."),
            ("faces:0", "faces: expected at least 600 pictures, found 0; try TASK=faces:600"),
            ("faces:500001", "faces: expected at most 500000 pictures, found 500001; try TASK=faces:20000"),
            ("faces:99999999999999", "Expected a task's size in at most 9 digits; found 'faces:99999999999999'."),
            (
                "faces:" + "9" * 10_000,
                f"Expected a task's size in at most 9 digits; found 'faces:{'9' * 274}… (10006 characters)'.",
            ),
            ("", f"There is no task ''. Tasks: {', '.join(tasks.names())}."),
            (":600", f"There is no task ''. Tasks: {', '.join(tasks.names())}."),
            ("../digits", "There is no task '../digits'. Did you mean 'digits'?"),
            ("_portraits", "There is no task '_portraits'. Tasks: " + f"{', '.join(tasks.names())}."),
            ("DIGITS", f"There is no task 'DIGITS'. Tasks: {', '.join(tasks.names())}."),
            ("a\u202e\udc80\n", rf"There is no task 'a\u202e\udc80\n'. Tasks: {', '.join(tasks.names())}."),
            ("faces:50", "faces: expected at least 600 pictures, found 50; try TASK=faces:600"),
        ],
    )
    def test_a_name_that_is_no_task(self, name, message):
        with pytest.raises(TaskError, match=f"^{re.escape(message)}$"):
            tasks.load(name)

    def test_examples_that_memory_does_not_hold(self, write_task):
        write_task("toy_huge", "def task(size=7):\n    raise MemoryError\n")
        with pytest.raises(TaskError, match=r"The examples of toy_huge:8 do not fit into this machine's memory."):
            tasks.load("toy_huge:8")

    def test_a_folder_for_a_task_that_reads_none(self, tmp_path):
        with pytest.raises(TaskError, match="The task digits reads no folder"):
            tasks.load("digits", tmp_path)
