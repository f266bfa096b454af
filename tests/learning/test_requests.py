"""Requests to forget a part of a person's examples."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from scoring.jobs.setting import Setting
from scoring.reports.notes import not_comparable
from scoring.untrusted.submission import Submission
from starter_kit import tasks
from starter_kit.errors import InputError
from tests.learning.sources import SAME


@pytest.mark.parametrize("size", [1, 5, 94])
def test_a_smaller_request_leaves_the_rest_in_retain(size):
    task = tasks.load("digits")
    asked = task.asking_for(size)
    assert asked.forget.image_id.tolist() == task.forget.image_id[:size].tolist()
    assert set(asked.train.image_id.tolist()) == set(task.train.image_id.tolist())
    assert (asked.theirs, asked.digest() == task.digest()) == (95, False)
    assert asked.title == f"digits (forgetting {size} of 95 examples)"


def test_a_request_for_everything_is_the_task_itself():
    task = tasks.load("digits")
    assert task.asking_for(95) is task


@pytest.mark.parametrize("size", [0, 96])
def test_a_request_that_is_too_large_or_empty_is_refused(size):
    with pytest.raises(InputError, match=f"Expected FORGET= from 1 to 95, all examples of the person; found {size}"):
        tasks.load("digits").asking_for(size)


def test_the_command_takes_it_and_the_report_says_it(kit, written, tmp_path):
    done = kit("score", written(SAME), "--forget", 5)
    assert done.exit_code == 0, done.output
    assert "mine on digits (forgetting 5 of 95 examples), 8 models per pool" in done.output
    record = json.loads((tmp_path / "report/report.json").read_text())
    assert record["request"] == {"examples": 5, "of": 95}


@pytest.mark.parametrize("value", ["0", "96", "all", "-1"])
def test_a_wrong_request_is_said_on_the_command_line(kit, written, value):
    done = kit("score", written(SAME), "--forget", value)
    assert done.exit_code != 0
    assert "forget" in done.output.lower()
    assert "Traceback" not in done.output


def test_what_the_challenge_does_not_have_is_not_compared_with_it():
    plain = Setting(tasks.load("digits"), "cpu", 0)
    assert not_comparable(512, plain) is None
    part = replace(plain, task=plain.task.asking_for(5))
    assert not_comparable(512, part) == "only 5 of 95 examples are forgotten"
    own = replace(plain, own=Submission(Path("mine.py"), ""))
    assert "brings its own learning" in not_comparable(512, own)
